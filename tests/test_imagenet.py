"""ImageNet's validation set in its two forms, against torchvision's own reader and its class names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torchvision.datasets.imagenet as theirs
from torchvision.models import get_model_weights as weights_of

from tests.imagenet import IDS, by_class, devkit, draw
from tuner.data.imagenet import list_folder_test, list_imagenet, list_lemmas, list_wnids
from tuner.errors import TunerError, UsageError

# Two classes are called crane and two maillot: torchvision tells them apart by a second word.
RENAMED = {"crane": "crane bird", "maillot": "maillot tank suit"}


def test_the_classes_are_torchvisions_in_its_order() -> None:
    categories = weights_of("resnet18").DEFAULT.meta["categories"]
    assert len(list_wnids()) == len(list_lemmas()) == len(categories) == 1000
    assert list(list_wnids()) == sorted(list_wnids()), "the networks' outputs are in the order of the ids"
    different = [(ours, name) for ours, name in zip(list_lemmas(), categories, strict=True) if ours != name]
    assert different == list(RENAMED.items())
    assert all(weights_of(n).DEFAULT.meta["categories"] == categories for n in ("alexnet", "vgg16", "googlenet"))


@pytest.mark.parametrize("inside", [".", "val"])
def test_class_folders_are_labelled_by_their_names(tmp_path: Path, inside: str) -> None:
    by_class(tmp_path / inside, 7)
    draw(tmp_path / inside / ".hidden" / "x.JPEG", 0)
    (tmp_path / inside / IDS[0] / "notes.txt").write_text("no image")
    found = list_imagenet(str(tmp_path))
    assert sorted(zip((Path(f).name for f in found.files), found.labels.tolist(), strict=True)) == [
        (f"{i:04d}.JPEG", (0, 207, 999)[i % 3]) for i in range(7)
    ]
    assert len(found.classes) == 1000, "a part of the classes is scored over all outputs"


@pytest.mark.parametrize("packed", [True, False], ids=["archive", "folder"])
@pytest.mark.parametrize("where", ["beside", "in"])
def test_flat_files_are_labelled_by_the_devkit(tmp_path: Path, packed: bool, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    val, truth = tmp_path / "val", [3, 999, 3, 1000, 17, 1]
    order = devkit(tmp_path if where == "beside" else val, truth, packed=packed)
    chosen = (2, 4, 5)  # a part is enough
    for number in chosen:
        draw(val / f"ILSVRC2012_val_{number:08d}.JPEG", number)
    found = list_imagenet(str(val if where == "in" else tmp_path))
    assert [Path(f).name[15:23] for f in found.files] == [f"{n:08d}" for n in chosen]
    assert found.labels.tolist() == [IDS.index(order[truth[n - 1] - 1]) for n in chosen]
    if packed and where == "beside":
        monkeypatch.setattr(theirs, "_verify_archive", lambda *_: None)  # ours is not the official file
        theirs.parse_devkit_archive(tmp_path)
        assert found.labels.tolist() == [list_wnids()[theirs.load_meta_file(tmp_path)[1][n - 1]] for n in chosen]


def test_a_class_folder_that_is_none_of_imagenets_is_named(tmp_path: Path) -> None:
    by_class(tmp_path, 3)
    draw(tmp_path / "n01440765" / "x.JPEG", 0)
    with pytest.raises(UsageError, match=r"n01440765.*none of ImageNet's 1,000 classes: did you mean 'n0144076"):
        list_imagenet(str(tmp_path))
    (tmp_path / "n01440765").rename(tmp_path / "tench")
    with pytest.raises(UsageError, match=r"tench.*rename it to 'n01440764'"):
        list_imagenet(str(tmp_path))


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        list_imagenet("nowhere")
    with pytest.raises(TunerError, match="holds no images"):
        list_imagenet(str(tmp_path))
    draw(tmp_path / "ILSVRC2012_val_00000001.JPEG", 0)
    with pytest.raises(TunerError, match=r"no labels: put ILSVRC2012_devkit_t12.tar.gz"):
        list_imagenet(str(tmp_path))
    (tmp_path / "ILSVRC2012_devkit_t12.tar.gz").write_bytes(b"nothing")
    with pytest.raises(TunerError, match="not ImageNet 2012's devkit"):
        list_imagenet(str(tmp_path))
    (tmp_path / "ILSVRC2012_devkit_t12.tar.gz").unlink()
    devkit(tmp_path, [1], packed=True)
    draw(tmp_path / "ILSVRC2012_val_00000002.JPEG", 0)
    with pytest.raises(UsageError, match=r"00000002.JPEG' has no line"):
        list_imagenet(str(tmp_path))


def test_the_fingerprint_changes_with_the_images(tmp_path: Path) -> None:
    by_class(tmp_path, 3)
    before = list_imagenet(str(tmp_path)).fingerprint
    assert list_imagenet(str(tmp_path)).fingerprint == before
    image = next(tmp_path.rglob("*.JPEG"))
    os.utime(image, ns=(1, 1))
    assert list_imagenet(str(tmp_path)).fingerprint != before


def test_a_folders_test_part_is_in_the_order_of_its_decoded_images(tmp_path: Path) -> None:
    for part in ("train", "val"):
        for name in ("zebra", "ant"):
            for index in (10, 9):
                draw(tmp_path / part / name / f"{index}.png", index)
    found = list_folder_test(str(tmp_path))
    assert [str(Path(f).relative_to(tmp_path)) for f in found.files] == [
        "val/ant/10.png",
        "val/ant/9.png",
        "val/zebra/10.png",
        "val/zebra/9.png",
    ]
    assert found.labels.tolist() == [0, 0, 1, 1] and found.classes == ("ant", "zebra")
