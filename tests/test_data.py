"""The registry of sources, the embedded digits, and how training images are parted."""

import subprocess
import sys

import numpy as np
import pytest

from tuner.config.data_config import DataConfig
from tuner.config.data_sources import SOURCES, _by_name
from tuner.data import Dataset, load, split
from tuner.errors import TunerError, UsageError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TUNER_CACHE", str(tmp_path / "cache"))


def labelled(*counts):
    """A data set whose classes have these many training images; image i is filled with i % 256."""
    labels = np.random.default_rng(1).permutation(np.repeat(np.arange(len(counts)), counts))
    images = np.broadcast_to((np.arange(len(labels)) % 256).astype(np.uint8)[:, None, None, None], (len(labels), 2, 2, 3))
    names = tuple(f"class{i}" for i in range(len(counts)))
    return Dataset(
        source="made",
        classes=names,
        train_images=images,
        train_labels=labels,
        test_images=images,
        test_labels=labels,
        fingerprint="0" * 16,
    )


def test_the_sources_are_those_that_a_configuration_accepts():
    assert sorted(SOURCES) == ["cifar10", "digits", "folder"]
    for name in SOURCES:
        DataConfig(source=f"{name}:somewhere" if name == "folder" else name)


def test_registering_a_name_twice_is_a_bug():
    with pytest.raises(AssertionError, match="'digits' is registered twice"):
        _by_name(SOURCES["digits"], SOURCES["digits"])


def test_loading_needs_no_torch():
    code = "import sys; from tuner.config.data_config import DataConfig; from tuner.data import load; load(DataConfig(source='digits'));"
    code += "sys.exit('torch' in sys.modules or 'sklearn' in sys.modules)"
    load(DataConfig(source="digits"))
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_digits_are_scikit_learns_and_parted_the_same_in_every_study():
    from sklearn.datasets import load_digits

    first = load(DataConfig(source="digits", image_size=8, seed=0))
    other = load(DataConfig(source="digits", image_size=8, seed=5))
    assert first.classes == tuple("0123456789") and first.fingerprint == other.fingerprint
    assert len(first.train_labels) + len(first.test_labels) == 1797
    assert np.array_equal(first.train_images, other.train_images)
    for label in range(10):
        share = np.sum(first.test_labels == label) / np.sum(np.concatenate([first.test_labels, first.train_labels]) == label)
        assert share == pytest.approx(0.2, abs=0.01)
    # Every original is there once, in one part only.
    grey, labels = load_digits(return_X_y=True)
    wanted = sorted((*np.rint(row * 255 / 16).astype(int), label) for row, label in zip(grey, labels, strict=True))
    images = np.concatenate([first.train_images, first.test_images])
    assert np.all(images == images[..., :1])
    together = np.concatenate([first.train_labels, first.test_labels])
    assert sorted((*image[..., 0].reshape(-1).tolist(), label) for image, label in zip(images, together, strict=True)) == wanted


def test_digits_are_resized():
    dataset = load(DataConfig(source="digits", image_size=32))
    assert dataset.train_images.shape[1:] == (32, 32, 3) and dataset.train_images.dtype == np.uint8
    assert dataset.train_images.max() == 255 and dataset.fingerprint != load(DataConfig(source="digits", image_size=8)).fingerprint


@pytest.mark.parametrize("config", [{}, {"train_images": 60}, {"validation": 0.9}, {"validation": 0.001}, {"seed": 3}])
def test_the_parts_never_overlap_and_each_has_every_class(config):
    dataset = labelled(40, 17, 2, 90)
    train, validation = split(dataset, DataConfig(**config))
    assert not set(train) & set(validation)
    for part in (train, validation):
        assert part.dtype == np.int64 and np.all(np.diff(part) > 0)
        assert set(dataset.train_labels[part]) == {0, 1, 2, 3}
    assert len(train) + len(validation) == config.get("train_images", 149)


def test_validation_takes_its_fraction_of_every_class():
    dataset = labelled(40, 17, 2, 90)
    _, validation = split(dataset, DataConfig(validation=0.1))
    assert np.bincount(dataset.train_labels[validation]).tolist() == [4, 2, 1, 9]


@pytest.mark.parametrize(
    ("total", "quotas"),
    [(8, [2, 2, 2, 2]), (43, [14, 13, 2, 14]), (100, [40, 17, 2, 41]), (149, [40, 17, 2, 90])],
)
def test_a_part_of_the_training_images_is_as_balanced_as_counts_allow(total, quotas):
    dataset = labelled(40, 17, 2, 90)
    parts = split(dataset, DataConfig(train_images=total))
    assert np.bincount(dataset.train_labels[np.concatenate(parts)]).tolist() == quotas


def test_a_seed_gives_the_same_split_again_and_another_seed_another():
    dataset = labelled(40, 17, 2, 90)
    first, again, other = (split(dataset, DataConfig(seed=seed)) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[1], other[1])


def test_the_split_is_the_one_of_earlier_versions():
    # A study goes on with the split it began with: this must not change.
    _, validation = split(labelled(5, 5), DataConfig(seed=0, validation=0.4))
    assert validation.tolist() == [2, 4, 8, 9]


@pytest.mark.parametrize(
    ("total", "message"),
    [
        (150, "train_images 150 is more than there are: the data has 149 training images"),
        (7, "train_images 7 is too few: 4 classes need at least 8"),
    ],
)
def test_an_impossible_part_is_a_usage_error(total, message):
    with pytest.raises(UsageError, match=message):
        split(labelled(40, 17, 2, 90), DataConfig(train_images=total))


def test_a_class_with_one_image_cannot_be_parted():
    with pytest.raises(TunerError, match="class 'class1' has 1 training image"):
        split(labelled(5, 1), DataConfig())
