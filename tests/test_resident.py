"""Batches from images on the device, against plain NumPy."""

import numpy as np
import pytest
import torch

from tuner.data.resident import AUGMENTS, Resident

IMAGES = np.random.default_rng(0).integers(0, 256, (50, 12, 10, 3), dtype=np.uint8)
LABELS = np.random.default_rng(1).integers(0, 7, 50)
# So that a normalised value says which byte it was.
PLAIN = {"mean": (0.0,), "std": (1 / 255,)}


def resident(augment="none", device="cpu", **options):
    return Resident(IMAGES, LABELS, **{**PLAIN, **options}, device=device, augment=augment)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def pixels(x):
    """A batch of the plain scale as uint8 (B, H, W, 3)."""
    return x.permute(0, 2, 3, 1).round().to(torch.uint8).numpy()


def crops(image, flip_only=False):
    """Every image that augmenting may make of this one."""
    height, width, _ = image.shape
    padded = np.pad(image, ((4, 4), (4, 4), (0, 0)))
    places = [(4, 4)] if flip_only else [(top, left) for top in range(9) for left in range(9)]
    cut = [padded[top : top + height, left : left + width] for top, left in places]
    return [(crop, flip) for plain in cut for flip, crop in ((False, plain), (True, plain[:, ::-1]))]


@pytest.mark.parametrize(("mean", "std"), [((0.5,), (0.5,)), ((0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616))])
def test_a_batch_is_normalised_and_channels_last(mean, std):
    rows = torch.tensor([3, 0, 49, 3])
    x, y = resident(mean=mean, std=std).batch(rows)
    wanted = (IMAGES[rows] / 255 - np.array(mean)) / np.array(std)
    assert x.dtype == torch.float32 and x.shape == (4, 3, 12, 10)
    assert x.is_contiguous(memory_format=torch.channels_last)
    assert np.abs(x.permute(0, 2, 3, 1).numpy() - wanted).max() < 1e-6
    assert y.dtype == torch.int64 and y.tolist() == LABELS[rows].tolist()


def test_every_byte_keeps_its_value():
    assert np.array_equal(pixels(resident().batch(torch.arange(50))[0]), IMAGES)


def test_a_part_is_read_where_the_whole_lies():
    chosen = np.array([2, 5, 7, 11])
    part = resident(rows=chosen)
    assert len(part) == 4 and len(resident()) == 50
    x, y = part.batch(torch.tensor([3, 1]))
    assert np.array_equal(pixels(x), IMAGES[[11, 5]]) and y.tolist() == LABELS[[11, 5]].tolist()
    assert part.pixels.data_ptr() == IMAGES.ctypes.data


@pytest.mark.parametrize("augment", ["flip", "flip-crop"])
def test_an_augmented_image_is_one_of_its_flips_and_crops(augment):
    rows = torch.arange(50).repeat(8)
    x, y = resident(augment).batch(rows, generator())
    assert x.is_contiguous(memory_format=torch.channels_last) and y.tolist() == LABELS[rows].tolist()
    for made, row in zip(pixels(x), rows, strict=True):
        assert any(np.array_equal(made, wanted) for wanted, _ in crops(IMAGES[row], augment == "flip"))


@pytest.mark.parametrize(("augment", "count"), [("flip", 2), ("flip-crop", 162)])
def test_every_augmentation_comes_equally_often(augment, count):
    draws = 200 * count
    made = pixels(resident(augment).batch(torch.full((draws,), 7), generator())[0])
    seen, times = np.unique(made.reshape(draws, -1), axis=0, return_counts=True)
    wanted = {crop.tobytes() for crop, _ in crops(IMAGES[7], augment == "flip")}
    assert {row.tobytes() for row in seen} == wanted and len(wanted) == count
    # Five standard deviations of a binomial count.
    assert np.abs(times - 200).max() < 5 * np.sqrt(200)


def test_each_image_of_a_batch_is_drawn_on_its_own():
    made = pixels(resident("flip-crop").batch(torch.full((64,), 7), generator())[0])
    assert len(np.unique(made.reshape(64, -1), axis=0)) > 30


@pytest.mark.parametrize("augment", ["flip", "flip-crop"])
def test_only_the_generator_decides(augment):
    part, rows = resident(augment), torch.arange(50)
    state = torch.get_rng_state()
    first, again, other = (part.batch(rows, generator(seed))[0] for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)
    running = generator(1)
    assert torch.equal(part.batch(rows, running)[0], first) and not torch.equal(part.batch(rows, running)[0], first)


def test_without_augmentation_the_generator_is_left_alone():
    untouched = generator(3)
    resident().batch(torch.arange(4), untouched)
    assert torch.equal(untouched.get_state(), generator(3).get_state())


def test_augmenting_without_a_generator_is_a_bug():
    with pytest.raises(AssertionError, match="needs a generator"):
        resident("flip").batch(torch.arange(4))


def test_batches_do_not_share_memory():
    part = resident()
    first = part.batch(torch.arange(4))[0]
    kept = first.clone()
    part.batch(torch.arange(4, 8))
    assert torch.equal(first, kept)


def test_the_augmentations_are_those_of_the_hyperparameter():
    from tuner.config.hyperparameters import find_hyperparameter

    for name in AUGMENTS:
        assert find_hyperparameter("augment").check(name) == name


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("augment", AUGMENTS)
def test_a_gpu_gives_the_batches_of_the_cpu_without_waiting(augment):
    rows = torch.arange(50)
    wanted, labels = resident(augment).batch(rows, generator())
    part = resident(augment, device="cuda")
    torch.cuda.set_sync_debug_mode("error")
    try:
        x, y = part.batch(rows, generator())
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert torch.equal(x.cpu(), wanted) and torch.equal(y.cpu(), labels)
    assert x.is_contiguous(memory_format=torch.channels_last)
