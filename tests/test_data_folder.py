"""Image folders: every kind of file, every mistake in the layout, and the cache of decoded images."""

import json
import os
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from tuner.config.data_config import DataConfig
from tuner.data import decode, load
from tuner.errors import TunerError, UsageError

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TUNER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def noise(seed, shape=(32, 32, 3)):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def make(base, test="test", classes=("cat", "dog"), train_images=3):
    """A folder whose images are noise seeded by their names."""
    for name in classes:
        for i in range(train_images):
            save(base / "train" / name / f"{i}.png", noise(zlib.crc32(f"train{name}{i}".encode())))
        save(base / test / name / "0.png", noise(zlib.crc32(f"test{name}".encode())))
    return base


def read(base, **config):
    return load(DataConfig(source=f"folder:{base}", **config))


def one(path):
    """A single image file, decoded at 32x32."""
    return next(decode.decode_files([str(path)], 32))[0]


def fails(base, error, *parts):
    """Loading fails in one line that holds each of `parts`."""
    with pytest.raises(error) as caught:
        read(base)
    assert type(caught.value) is error and "\n" not in caught.value.message
    for part in parts:
        assert part in caught.value.message


@pytest.mark.parametrize("test", ["test", "val"])
def test_a_folder_is_read_pixel_by_pixel_with_sorted_classes(tmp_path, test):
    base = make(tmp_path / "pets", test, classes=("dog", "ant", "cat"))
    dataset = read(base)
    assert dataset.classes == ("ant", "cat", "dog") and dataset.source == f"folder:{base}"
    assert dataset.train_labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2] and dataset.test_labels.tolist() == [0, 1, 2]
    assert dataset.train_labels.dtype == np.int64
    for i, label in enumerate(dataset.train_labels):
        assert np.array_equal(dataset.train_images[i], noise(zlib.crc32(f"train{dataset.classes[label]}{i % 3}".encode())))
    assert np.array_equal(dataset.test_images[1], noise(zlib.crc32(b"testcat")))


def test_test_is_read_where_there_is_val_too(tmp_path):
    base = make(make(tmp_path / "pets"), "val", classes=("cow", "hen"))
    for name in ("cow", "hen"):
        for file in (base / "train" / name).iterdir():
            file.unlink()
        (base / "train" / name).rmdir()
    assert read(base).classes == ("cat", "dog")


def test_the_order_is_kept_over_many_blocks(tmp_path):
    base = make(tmp_path / "pets", train_images=decode.BLOCK * 20)
    for name in ("cat", "dog"):
        for i, file in enumerate(sorted((base / "train" / name).iterdir())):
            save(file, np.full((32, 32, 3), i % 251, np.uint8))
    images = read(base).train_images
    assert images[:, 0, 0, 0].tolist() == [i % 251 for i in range(decode.BLOCK * 20)] * 2


def test_links_are_followed_and_other_files_passed_over(tmp_path):
    base = make(tmp_path / "pets")
    elsewhere = tmp_path / "elsewhere"
    (base / "train" / "dog").rename(elsewhere)
    (base / "train" / "dog").symlink_to(elsewhere)
    target = save(tmp_path / "target.png", noise(1))
    (base / "train" / "cat" / "linked.PNG").symlink_to(target)
    (base / "train" / "cat" / "notes.txt").write_text("no image")
    (base / "train" / "cat" / "._0.png").write_text("no image")
    (base / "train" / "cat" / "deeper.png").mkdir()
    (base / "train" / ".hidden").mkdir()
    (base / "train" / "README").write_text("no class")
    dataset = read(base)
    assert np.bincount(dataset.train_labels).tolist() == [4, 3]
    assert np.array_equal(dataset.train_images[3], noise(1))


def test_other_sizes_are_resized_bilinearly(tmp_path):
    save(tmp_path / "big.png", pixels := noise(2, (50, 70, 3)))
    assert np.array_equal(one(tmp_path / "big.png"), np.asarray(Image.fromarray(pixels).resize((32, 32), Image.Resampling.BILINEAR)))


def test_modes_become_rgb(tmp_path):
    grey = noise(3, (32, 32))
    assert np.array_equal(one(save(tmp_path / "grey.png", grey)), grey[..., None].repeat(3, 2))
    alpha = noise(4, (32, 32, 4))
    assert np.array_equal(one(save(tmp_path / "alpha.png", alpha)), alpha[..., :3])
    palette = Image.fromarray(noise(5)).quantize(16)
    palette.save(tmp_path / "palette.png", transparency=b"\x00\x10")
    assert np.array_equal(one(tmp_path / "palette.png"), np.asarray(palette.convert("RGB")))
    bits = Image.fromarray(grey).convert("1")
    bits.save(tmp_path / "bits.gif")
    assert np.array_equal(one(tmp_path / "bits.gif")[..., 0], np.asarray(bits) * np.uint8(255))


@pytest.mark.parametrize("name", ["deep.png", "deep.tif"])
def test_16_bit_greys_are_scaled_not_clipped(tmp_path, name):
    wanted = noise(6, (32, 32))
    assert np.array_equal(one(save(tmp_path / name, wanted.astype(np.uint16) * 257))[..., 1], wanted)


def test_12_bit_greys_are_scaled_by_what_the_file_calls_white(tmp_path):
    (tmp_path / "deep.pgm").write_bytes(b"P5 32 32 4095\n" + np.full(1024, 4095, ">u2").tobytes())
    assert one(tmp_path / "deep.pgm").min() == 255


# Every format that Pillow writes with an orientation in it, and that keeps enough of the pixels.
TURNED = [("PNG", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}), ("JPEG", {"quality": 95}), ("MPO", {"quality": 95})]
TURNED += [("WEBP", {"lossless": True}), ("AVIF", {"quality": 95})]


@pytest.mark.parametrize(("format", "options"), TURNED, ids=lambda value: value if isinstance(value, str) else "".join(value) or "plain")
def test_orientation_is_applied_once_in_every_format(tmp_path, format, options):
    down, right = np.mgrid[:32, :32]
    upright = np.stack([6 * down + right, 4 * right + 3 * down, 255 - 3 * down - 2 * right], 2).astype(np.uint8)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = tmp_path / f"{orientation}.img"  # told by its content: the ending decides nothing
        Image.fromarray(upright).save(path, format=format, exif=exif, **options)
        with Image.open(path) as image:
            wanted = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
        assert np.array_equal(one(path), wanted), orientation
        assert (orientation == 1) == (np.abs(wanted.astype(int) - upright).mean() < 5), orientation


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "is empty"), (b"hello, I am no image", "not an image"), (None, "cannot be read")],
    ids=["empty", "text", "cut short"],
)
def test_a_broken_image_is_named(tmp_path, content, reason):
    base = make(tmp_path / "pets")
    broken = base / "test" / "dog" / "0.png"
    broken.write_bytes(broken.read_bytes()[:1500] if content is None else content)
    fails(base, TunerError, repr(str(broken)), reason, "replace or remove it")


def test_a_link_to_nothing_and_an_image_without_a_scale_are_named(tmp_path):
    base = make(tmp_path / "pets")
    (base / "train" / "cat" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    fails(base, TunerError, "gone.png", "link to nothing")
    (base / "train" / "cat" / "gone.png").unlink()
    save(base / "train" / "cat" / "float.tif", np.zeros((32, 32), np.float32))
    fails(base, TunerError, "float.tif", "floating-point")


def test_mistakes_in_the_layout_are_named(tmp_path):
    base = tmp_path / "pets"
    fails(base, UsageError, f"folder:{base}", "does not exist", "train/ and test/")
    base.write_text("a file")
    fails(base, UsageError, f"folder:{base}", "is a file")
    base.unlink()
    base.mkdir()
    fails(base, TunerError, str(base), "has no train/")
    (base / "train").mkdir()
    fails(base, TunerError, "has no test/ or val/")
    (base / "test").mkdir()
    fails(base, TunerError, "has no class folders")
    make(base, classes=("cat",))
    fails(base, TunerError, "one class only, 'cat'")
    make(base, classes=("cat", "dog"))
    assert read(base).classes == ("cat", "dog")
    (base / "train" / "emu").mkdir()
    (base / "test" / "fox").mkdir()
    fails(base, TunerError, "only in train/: 'emu'", "only in test/: 'fox'")
    (base / "train" / "fox").mkdir()
    (base / "test" / "emu").mkdir()
    fails(base, TunerError, str(base / "train" / "emu"), "no image files")
    save(base / "train" / "emu" / "a.png", noise(0))
    save(base / "train" / "fox" / "a.png", noise(0))
    save(base / "test" / "emu" / "a.png", noise(0))
    fails(base, TunerError, str(base / "test" / "fox"), "no image files")
    save(base / "test" / "fox" / "a.png", noise(0))
    fails(base, TunerError, "'emu' has one training image", "at least two")


def test_the_cache_is_used_until_a_file_changes(tmp_path):
    base = make(tmp_path / "pets")
    lines = []
    config = DataConfig(source=f"folder:{base}")
    first = load(config, progress=lines.append)
    assert "decoding 8 images" in lines[0] and "8 images decoded" in lines[-1]
    assert isinstance(first.train_images, np.memmap) and first.train_images.flags.writeable
    lines.clear()
    again = load(config, progress=lines.append)
    assert lines == [] and again.fingerprint == first.fingerprint and np.array_equal(again.train_images, first.train_images)
    changed = base / "train" / "cat" / "1.png"
    save(changed, noise(99))
    third = load(config, progress=lines.append)
    assert lines and third.fingerprint != first.fingerprint and np.array_equal(third.train_images[1], noise(99))


def test_the_fingerprint_is_of_the_content_not_the_place(tmp_path):
    first, moved = read(make(tmp_path / "a")), read(make(tmp_path / "b", "val"))
    assert len(first.fingerprint) == 16 and int(first.fingerprint, 16) >= 0
    assert moved.fingerprint == first.fingerprint
    renamed = read(make(tmp_path / "c", classes=("cat", "dog")).rename(tmp_path / "d"), image_size=16)
    assert renamed.fingerprint != first.fingerprint


def test_the_fingerprint_sees_class_names(tmp_path):
    base = make(tmp_path / "a")
    first = read(base).fingerprint
    for part in ("train", "test"):
        (base / part / "dog").rename(base / part / "eel")
    assert read(base).fingerprint != first


def test_writing_into_a_loaded_array_does_not_reach_the_cache(tmp_path, cache):
    dataset = read(make(tmp_path / "pets"))
    before = dataset.train_images.copy()
    dataset.train_images[:] = 0
    (file,) = cache.rglob("train_images.npy")
    assert np.array_equal(np.load(file), before)


@pytest.mark.parametrize("name", ["train_images.npy", "train_labels.npy", "test_images.npy", "test_labels.npy", "entry.json"])
@pytest.mark.parametrize("damage", ["cut", "empty", "overwritten", "gone"])
def test_a_damaged_cache_is_decoded_again(tmp_path, cache, name, damage):
    base = make(tmp_path / "pets")
    first = read(base)
    (file,) = cache.glob(f"images/*/{name}")
    content = file.read_bytes()
    # A new file, as another program would leave it: the pages that `first` maps stay as they are.
    file.unlink()
    if damage != "gone":
        file.write_bytes({"cut": content[: len(content) // 2], "empty": b"", "overwritten": content[:-4] + b"xxxx"}[damage])
    lines = []
    again = load(DataConfig(source=f"folder:{base}"), progress=lines.append)
    assert lines and np.array_equal(again.train_images, first.train_images) and again.fingerprint == first.fingerprint
    assert file.read_bytes() == content or name == "entry.json"
    assert not list(cache.rglob("*.partial"))


def test_a_decoding_that_failed_leaves_no_entry(tmp_path, cache):
    base = make(tmp_path / "pets")
    broken = base / "test" / "dog" / "0.png"
    good = broken.read_bytes()
    status = broken.stat()
    broken.write_bytes(b"x" * len(good))
    os.utime(broken, ns=(status.st_atime_ns, status.st_mtime_ns))  # the same key
    fails(base, TunerError, "0.png")
    assert not list(cache.rglob("entry.json")) and not list(cache.rglob("*.partial"))
    broken.write_bytes(good)
    os.utime(broken, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert len(read(base).test_labels) == 2


def test_a_cache_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("TUNER_CACHE", str(tmp_path / "file" / "cache"))
    fails(make(tmp_path / "pets"), TunerError, str(tmp_path / "file" / "cache"), "cannot be written", "TUNER_CACHE")


def test_eight_processes_that_start_at_once_decode_once(tmp_path):
    base = make(tmp_path / "pets", train_images=40)
    code = "import sys; from tuner.config.data_config import DataConfig; from tuner.data import load;"
    code += "print(load(DataConfig(source=sys.argv[1]), progress=print).fingerprint)"
    commands = [subprocess.Popen([sys.executable, "-c", code, f"folder:{base}"], stdout=subprocess.PIPE, text=True) for _ in range(8)]
    outputs = [command.communicate()[0] for command in commands]
    assert [command.returncode for command in commands] == [0] * 8
    assert sum("images decoded in" in output for output in outputs) == 1
    assert len({output.splitlines()[-1] for output in outputs}) == 1


def test_a_part_of_cifar10_unpacked_by_the_shared_tool(tmp_path):
    tool = SHARED / "tools" / "unpack_cifar10.py"
    if not tool.exists():
        pytest.skip("the shared CIFAR-10 images are not beside this repository")
    subprocess.run([sys.executable, tool, tmp_path / "c", "--train", "40", "--test", "20"], check=True)
    dataset = read(tmp_path / "c")
    assert dataset.train_images.shape == (40, 32, 32, 3) and dataset.test_images.shape == (20, 32, 32, 3)
    assert len(dataset.classes) == 10 and np.bincount(dataset.train_labels).tolist() == [4] * 10
    with Image.open(tmp_path / "c" / "train" / "frog" / "00002.png") as image:
        assert np.array_equal(dataset.train_images[dataset.classes.index("frog") * 4 + 2], np.asarray(image))


def test_notes_beside_the_cache_say_what_it_is(tmp_path, cache):
    dataset = read(make(tmp_path / "pets"))
    (file,) = cache.rglob("entry.json")
    notes = json.loads(file.read_text())
    assert notes["source"] == dataset.source and notes["fingerprint"] == dataset.fingerprint


def test_what_is_passed_over_is_counted_and_said_once(tmp_path):
    base, lines = make(tmp_path / "pets"), []
    for name in ("a.HEIC", "b.HEIC", "notes.txt", ".hidden"):
        (base / "train" / "cat" / name).write_bytes(b"x")
    save(base / "test" / "dog" / "more" / "1.png", noise(1))
    load(DataConfig(source=f"folder:{base}"), progress=lines.append)
    said = [line for line in lines if "passed over" in line]
    load(DataConfig(source=f"folder:{base}"), progress=lines.append)
    assert lines[-2:] == said, "from the cache too"
    assert len(said) == 2 and "1 images in folders" in said[0] and "test/dog/more/1.png" in said[0]
    assert "3 files" in said[1] and "train/cat/a.HEIC" in said[1]


def test_the_layout_of_tiny_imagenet_is_named(tmp_path):
    base = make(tmp_path / "pets")
    (base / "train" / "cat").rename(tmp_path / "images")
    (base / "train" / "cat").mkdir()
    (tmp_path / "images").rename(base / "train" / "cat" / "images")
    fails(base, TunerError, "tiny-imagenet", "train/cat/images/0.png", "move them up")


def test_all_broken_files_are_named_in_one_run(tmp_path):
    base = make(tmp_path / "pets", train_images=14)
    for index in range(13):
        (base / "train" / "cat" / f"{index}.png").write_bytes(b"broken")
    with pytest.raises(TunerError) as caught:
        read(base)
    assert caught.value.message.count("cannot be read") == 10 and caught.value.message.endswith("; and 3 more")


def test_a_very_large_image_is_one_line(tmp_path, monkeypatch):
    from tuner.data import decode

    monkeypatch.setattr(decode, "MOST_PIXELS", 500)
    base = make(tmp_path / "pets")
    Image.new("RGB", (30, 20)).save(base / "train" / "cat" / "poster.png")
    fails(base, TunerError, "poster.png' has 30 x 20 pixels, above 500: shrink or remove it")


def test_names_that_are_no_utf_8_are_refused_when_the_folder_is_read(tmp_path):
    base = make(tmp_path / "pets")
    (base / "train" / "cat").rename(os.fsdecode(os.fsencode(base / "train") + b"/c\xe4t"))
    fails(base, TunerError, "c\\udce4t", "is not UTF-8: rename it")
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/p\xe4ts")
    make(Path(odd))
    fails(Path(odd), TunerError, "is not UTF-8: rename it")


def test_a_name_in_two_normal_forms_is_one_class(tmp_path):
    import unicodedata

    names = [unicodedata.normalize("NFD", name) for name in ("caf\u00e9", "\uace0\uc591\uc774", "zoo")]
    base = make(tmp_path / "pets", classes=names)
    before = read(base)
    for name in names:
        (base / "test" / name).rename(base / "test" / unicodedata.normalize("NFC", name))
    after = read(base)
    assert before.classes == after.classes == tuple(sorted(names)) and before.fingerprint == after.fingerprint


def test_images_that_are_in_both_parts_are_counted(tmp_path):
    base, lines = make(tmp_path / "pets"), []
    Image.open(base / "train" / "cat" / "0.png").save(base / "test" / "dog" / "same.bmp")
    load(DataConfig(source=f"folder:{base}"), progress=lines.append)
    assert len([line for line in lines if "1 of 3 test images are in the training part too" in line]) == 1
    load(DataConfig(source=f"folder:{base}"), progress=lines.append)
    assert "1 of 3 test images are in the training part too" in lines[-1], "from the cache too"
