"""Pictures of many classes: what they show is seen."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
from PIL import Image

from tuner.report.pictures.confusion import draw_confusion_matrix
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
