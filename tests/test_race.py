"""One pass for many networks: every counter belongs to one network, and every figure is what an oracle says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import norm
from sklearn.metrics import log_loss, top_k_accuracy_score
from torch import Tensor, nn
from torchvision.models import get_model, get_model_weights

from tests.imagenet import by_class, draw, torchvision_itself, weights
from tuner.compare.batches import Batch, Files
from tuner.compare.contestants import Ready
from tuner.compare.cost import measure_cost
from tuner.compare.figures import compare_pair
from tuner.compare.race import Runner, race
from tuner.compare.rows import pack, unpack
from tuner.data.imagenet import list_imagenet
from tuner.errors import TunerError, UsageError
from tuner.models import pretrained
from tuner.study.certainty import find_interval

CPU = torch.device("cpu")
FOUR = ("alexnet", "vgg16", "resnet18", "googlenet")


class Numbers:
    """Images that hold their own row, so that a network can be any table of logits. `broken` rows cannot be read."""

    def __init__(self, count: int, broken: tuple[int, ...] = ()) -> None:
        self.count = count
        self.broken = broken

    def __len__(self) -> int:
        return self.count

    def batch(self, start: int, stop: int, *, pinned: bool) -> Batch:
        rows = [row for row in range(start, stop) if row not in self.broken]
        x = torch.tensor(rows, dtype=torch.float32)[:, None, None, None]
        return Batch(x=x if rows else None, rows=rows, broken={row: "torn" for row in range(start, stop) if row in self.broken})


def table(logits: Tensor) -> Ready:
    """A network that answers image n with `logits[n]`."""
    return Ready(forward=lambda x: logits[x[:, 0, 0, 0].long()], plain=nn.Identity())


def run(tables: list[Tensor], labels: Tensor, *, batch_size: int = 10, broken: tuple[int, ...] = ()) -> list[Runner]:
    runners = [Runner.start(table(logits), len(labels), CPU) for logits in tables]
    assert race(runners, Numbers(len(labels), broken), labels, batch_size=batch_size, device=CPU)
    return runners


@pytest.mark.parametrize("classes", [3, 7, 1000])
@pytest.mark.parametrize("batch_size", [1, 10, 103, 500])
def test_figures_are_scikit_learns(classes: int, batch_size: int) -> None:
    """103 images: the last batch is odd. With 3 classes top-5 is all there are."""
    generator = torch.Generator().manual_seed(classes)
    labels = torch.randint(0, classes, (103,), generator=generator)
    logits = torch.randn(103, classes, generator=generator) + 2 * nn.functional.one_hot(labels, classes)
    (runner,) = run([logits], labels, batch_size=batch_size)
    loss, top1, top5 = runner.sums.means(103)
    every = np.arange(classes)
    assert top1 == top_k_accuracy_score(labels, logits, k=1, labels=every) == runner.hits[0].mean()
    expected5 = 1.0 if classes <= 5 else top_k_accuracy_score(labels, logits, k=5, labels=every)
    assert top5 == expected5 == runner.hits[1].mean()
    assert loss == pytest.approx(log_loss(labels, logits.double().softmax(1), labels=every), rel=1e-5)


def test_a_set_made_by_hand() -> None:
    logits = torch.tensor([[9, 1, 2, 3, 4, 5, 6], [0, 6, 5, 4, 3, 2, 1], [1, 2, 3, 4, 5, 6, 7], [7, 6, 5, 4, 3, 2, 1]]).float()
    labels = torch.tensor([0, 5, 0, 0])  # first; fifth; last; first
    (runner,) = run([logits], labels, batch_size=3)
    assert runner.hits.tolist() == [[True, False, False, True], [True, True, False, True]]
    assert runner.sums.means(4)[1:] == [0.5, 0.75]


def test_counters_do_not_run_on_from_network_to_network() -> None:
    """Report B's mistake: with counters that are not reset the second row would read 50 % and the third 66.7 %."""
    labels = torch.arange(40) % 10
    right, wrong = nn.functional.one_hot(labels, 10).float(), nn.functional.one_hot((labels + 1) % 10, 10).float()
    assert [r.sums.means(40)[1] for r in run([right, wrong, right], labels)] == [1.0, 0.0, 1.0]


def test_a_network_scores_alone_as_among_others_in_any_order() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 20, (57,), generator=generator)
    tables = [torch.randn(57, 20, generator=generator) for _ in range(4)]
    alone = [run([logits], labels)[0] for logits in tables]
    for order in ([0, 1, 2, 3], [3, 1, 0, 2]):
        for index, runner in zip(order, run([tables[i] for i in order], labels), strict=True):
            assert torch.equal(runner.sums.tensor, alone[index].sums.tensor) and (runner.hits == alone[index].hits).all()


def test_broken_images_are_counted_and_no_one_elses_labels_move() -> None:
    labels = torch.arange(25) % 6
    (runner,) = run([nn.functional.one_hot(labels, 6).float()], labels, batch_size=5, broken=(0, 7, 10, 11, 12, 13, 14, 24))
    assert runner.broken == dict.fromkeys((0, 7, 10, 11, 12, 13, 14, 24), "torn")
    assert runner.hits[0].sum() == 17 and runner.sums.means(17)[1] == 1.0


def test_a_pass_that_is_stopped_goes_on_to_the_same_sums() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 9, (53,), generator=generator)
    logits = [torch.randn(53, 9, generator=generator) for _ in range(2)]
    whole = run(logits, labels)
    first, second = (Runner.start(table(each), 53, CPU) for each in logits)
    passed: list[int] = []
    assert not race([first], Numbers(53), labels, batch_size=10, device=CPU, stop=lambda: len(passed) == 2, each=passed.append)
    assert first.done == 20
    # The second begins at the beginning; the first waits for it, and is not counted twice.
    assert not race([first, second], Numbers(53), labels, batch_size=10, device=CPU, stop=lambda: True)
    assert (first.done, second.done) == (20, 10)
    assert race([first, second], Numbers(53), labels, batch_size=10, device=CPU)
    for ours, theirs in zip((first, second), whole, strict=True):
        assert torch.equal(ours.sums.tensor, theirs.sums.tensor) and (ours.hits == theirs.hits).all()


@pytest.mark.parametrize("name", FOUR)
def test_logits_are_torchvisions_own_bit_for_bit(name: str, tmp_path: Path) -> None:
    """On the same weights, batches, memory format and threads; in torchvision's default format within rounding."""
    file = weights(name, tmp_path)
    listing = list_imagenet(str(by_class(tmp_path / "val", 5)))
    found = pretrained.find(name, file)
    ours = found.build().to(memory_format=torch.channels_last)
    kept: dict[int, Tensor] = {}  # by the batch's size: 3, then 2

    def forward(x: Tensor) -> Tensor:
        logits: Tensor = ours(x)
        kept[len(x)] = logits
        return logits

    runner = Runner.start(Ready(forward=forward, plain=ours), 5, CPU)
    race([runner], Files(listing, found.transforms()), torch.from_numpy(listing.labels), batch_size=3, device=CPU)
    official = torchvision_itself(name, file, tmp_path / "hub")
    preset = get_model_weights(name).DEFAULT.transforms()
    images = torch.stack([preset(Image.open(path).convert("RGB")) for path in listing.files])
    torch.set_num_threads(1)
    with torch.inference_mode():
        plain = torch.cat([official(part) for part in images.split(3)])
        official.to(memory_format=torch.channels_last)
        expected = [official(part.contiguous(memory_format=torch.channels_last)) for part in images.split(3)]
    assert torch.equal(kept[3], expected[0]) and torch.equal(kept[2], expected[1])
    assert torch.allclose(torch.cat([kept[3], kept[2]]), plain, rtol=1e-3, atol=1e-5 * float(plain.abs().max()))
    counted = measure_cost(ours, images[:1])
    meta = get_model_weights(name).DEFAULT.meta
    assert counted.parameters == meta["num_params"]
    assert round(counted.macs / 1e9, 3) == pytest.approx(meta["_ops"], abs=0.002)


def test_a_googlenet_built_bare_is_another_network(tmp_path: Path) -> None:
    """The trap: the same file in a network that was built without weights, so that `transform_input` is off."""
    file = weights("googlenet", tmp_path)
    bare = get_model("googlenet", weights=None, init_weights=False)
    bare.load_state_dict(torch.load(file))
    ours = pretrained.find("googlenet", file).build()
    assert ours.transform_input and not bare.transform_input and ours.aux1 is None
    x = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert not torch.allclose(ours(x), bare.eval()(x))


def test_files_are_read_as_torchvisions_loader_reads_them(tmp_path: Path) -> None:
    """RGB whatever the mode, and not turned by Exif."""
    from torchvision.datasets.folder import default_loader

    folder = tmp_path / "n01440764"
    draw(folder / "a.JPEG", 0)
    Image.open(folder / "a.JPEG").convert("L").save(folder / "b.JPEG")
    Image.open(folder / "a.JPEG").convert("CMYK").save(folder / "c.JPEG")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(folder / "a.JPEG").save(folder / "d.JPEG", exif=exif)
    listing = list_imagenet(str(tmp_path))
    preset = get_model_weights("resnet18").DEFAULT.transforms()
    batch = Files(listing, preset).batch(0, 4, pinned=False)
    assert batch.x is not None and torch.equal(batch.x, torch.stack([preset(default_loader(path)) for path in listing.files]))
    assert batch.x.is_contiguous(memory_format=torch.channels_last)


def test_memory_is_counted_by_the_tensor() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.ReLU(), nn.Conv2d(8, 1, 1, bias=False))
    counted = measure_cost(network.eval(), torch.zeros(1, 3, 10, 10))
    assert counted.parameters == 3 * 8 * 9 + 8 and counted.held_bytes == 4 * counted.parameters
    assert counted.macs == 100 * counted.parameters
    # The image, and at most two tensors of 8 channels: what ReLU reads and what it gives.
    assert counted.image_bytes == 4 * 100 * (3 + 8 + 8)
    assert counted.peak_mb(10) == round((counted.held_bytes + 10 * counted.image_bytes) / 1e6, 1)


def test_the_interval_is_wilsons() -> None:
    hits, images, z = 7, 20, norm.ppf(0.975)
    share = hits / images
    middle = (share + z**2 / (2 * images)) / (1 + z**2 / images)
    half = z / (1 + z**2 / images) * np.sqrt(share * (1 - share) / images + z**2 / (4 * images**2))
    assert find_interval(hits, images) == pytest.approx((middle - half, middle + half))


def test_the_paired_test_is_mcnemars_exact_one() -> None:
    first = np.array([True] * 9 + [False] * 2 + [True] * 50 + [False] * 30)
    second = np.array([False] * 9 + [True] * 2 + [True] * 50 + [False] * 30)
    found = compare_pair(first, second)
    # 11 images on which they differ: 2 (C(11,0) + C(11,1) + C(11,2)) / 2^11
    assert (found["wins"], found["losses"]) == (9, 2) and found["p"] == pytest.approx(2 * (1 + 11 + 55) / 2**11)
    assert not found["differ"]
    assert compare_pair(first, ~first)["differ"] and compare_pair(first, first) == {"wins": 0, "losses": 0, "p": 1.0, "differ": False}


@pytest.mark.parametrize("shape", [(2, 1), (2, 13), (2, 64)])
def test_packed_hits_come_back(shape: tuple[int, int]) -> None:
    bits = np.random.default_rng(0).random(shape) < 0.5
    assert (unpack(pack(bits), shape) == bits).all()


def test_weights_that_are_not_the_networks_are_refused(tmp_path: Path) -> None:
    file = weights("squeezenet1_1", tmp_path)
    cases: list[tuple[Callable[[], object], str]] = [
        (lambda: pretrained.find("resnet81"), "no model 'resnet81' in torchvision"),
        (lambda: pretrained.find("resnet18", tmp_path / "none.pth"), "there is no such file"),
        (lambda: pretrained.find("shufflenet_v2_x0_5", file).build(), "does not hold torchvision's weights of shufflenet_v2_x0_5"),
    ]
    (tmp_path / "junk.pth").write_bytes(b"junk")
    cases.append((lambda: pretrained.find("squeezenet1_1", tmp_path / "junk.pth").build(), "does not hold torchvision's weights"))
    torch.save({"weight": Path("a pickle that runs code")}, tmp_path / "code.pth")
    cases.append((lambda: pretrained.find("squeezenet1_1", tmp_path / "code.pth").build(), "does not hold torchvision's weights"))
    before = torch.hub.get_dir()
    for call, message in cases:
        with pytest.raises(UsageError, match=message):
            call()
    assert torch.hub.get_dir() == before
    # A file with the name of another set of weights is read as that one, with its transforms.
    other = tmp_path / "resnet50-0676ba61.pth"
    other.write_bytes(b"")
    assert pretrained.find("resnet50", other).weights.name == "IMAGENET1K_V1"
    assert pretrained.find("resnet50", file).weights.name == "IMAGENET1K_V2"


def test_building_a_network_leaves_the_users_choice_of_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "first"))
    pretrained.find("squeezenet1_1", weights("squeezenet1_1", tmp_path)).build()
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "second"))
    assert torch.hub.get_dir() == str(tmp_path / "second" / "hub")


def test_without_a_network_the_file_and_its_place_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    with pytest.raises(TunerError, match="cannot be downloaded") as caught:
        pretrained.find("alexnet")
    for part in ("alexnet-owt-7be5be79.pth", str(tmp_path / "hub" / "checkpoints"), "--weights alexnet=FILE"):
        assert part in caught.value.message
    assert "\n" not in caught.value.message
