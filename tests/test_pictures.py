"""Pictures of many classes: what they show is seen."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from tuner.report.pictures import confusion
from tuner.report.pictures import names as pictures_names
from tuner.report.pictures.compared import draw_accuracy_against_cost
from tuner.report.pictures.confusion import draw_confusion_matrix, draw_most_wrong
from tuner.report.predictions import Predictions


@pytest.mark.parametrize("classes", [2, 10, 100, 1000])
def test_the_diagonal_of_a_confusion_matrix_is_seen_at_any_number_of_classes(classes: int) -> None:
    labels = np.arange(classes)
    found = Predictions(
        classes=tuple(f"class {index}" for index in labels),
        images=np.zeros((classes, 1, 1, 3), np.uint8),
        labels=labels,
        guesses=labels,
        sureness=np.ones(classes),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        picture = np.asarray(Image.open(io.BytesIO(draw_confusion_matrix(found, "matrix"))).convert("RGB")).astype(int)
    # The bar beside it is as dark in its upper end only; a diagonal goes through most lines of the picture.
    left = picture[:, : int(0.75 * picture.shape[1])]
    blue = (left[..., 2] - left[..., 0] > 40).any(1).mean()
    assert blue > 0.6, blue


def made(*names: str) -> Predictions:
    labels = np.arange(len(names))
    images = np.zeros((len(names), 4, 4, 3), np.uint8)
    return Predictions(classes=names, images=images, labels=labels, guesses=labels[::-1].copy(), sureness=np.ones(len(names)))


@pytest.mark.parametrize("fonts", [(), ("Noto Sans CJK KR",)], ids=["no font has Hangul", "one may"])
@pytest.mark.parametrize(
    "names", [("고양이", "개"), ("a" * 40 + "1", "a" * 40 + "2"), ("ねこ 🐈", "いぬ 🐕")], ids=["korean", "long", "emoji"]
)
def test_classes_are_named_in_letters_that_can_be_drawn(
    names: tuple[str, ...], fonts: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pictures_names, "FALLBACKS", fonts)
    pictures_names.find_families.cache_clear()
    shown = pictures_names.name_classes(names)
    assert len(set(shown)) == len(names) and all(pictures_names.can_draw(name) for name in shown)
    legend = pictures_names.describe_numbers(names)
    assert all(f"{number} {name}" in legend for number, name in enumerate(names, 1)) if shown == ["1", "2"] else legend == ""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert draw_confusion_matrix(made(*names), "matrix") and draw_most_wrong(made(*names), "wrong")
    pictures_names.find_families.cache_clear()
    assert not caplog.messages, "no font is asked for that is not there"


def test_long_names_that_begin_alike_are_told_apart() -> None:
    assert pictures_names.name_classes(["golden retriever puppy", "golden retriever dog", "cat"]) == [
        "golden retr… 1",
        "golden retr… 2",
        "cat",
    ]


@pytest.mark.parametrize(("classes", "marks"), [(61, "1 10 20 30 40 50 60"), (1000, "1 100 200 300 400 500 600 700 800 900 1000")])
def test_many_classes_are_numbered_from_1_as_in_the_caption(classes: int, marks: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(confusion, "to_png", drawn.append)
    draw_confusion_matrix(made(*(str(index) for index in range(classes))), "matrix")
    axes = drawn[0].axes[0]
    for axis in (axes.xaxis, axes.yaxis):
        assert " ".join(label.get_text() for label in axis.get_ticklabels()) == marks
        assert [int(label.get_text()) - 1 for label in axis.get_ticklabels()] == list(axis.get_ticklocs())


def test_a_compared_network_that_no_font_can_name_is_numbered() -> None:
    facts = {"macs": 1e6, "top1": 0.5, "top1_interval": (0.4, 0.6), "parameters": 1000}
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib's, of letters that are drawn as boxes
        assert draw_accuracy_against_cost([{"model": "alexnet", **facts}, {"model": "\U0010ffff/weights.pt", **facts}])
    assert pictures_names.name_models(["alexnet", "\U0010ffff/weights.pt"]) == ["alexnet", "model 2"]
