"""CIFAR-10 from a server on this machine: a small archive with the official layout stands in for the real one."""

import contextlib
import hashlib
import http.server
import io
import pickle
import tarfile
import threading
import urllib.request

import numpy as np
import pytest
from torchvision.datasets import CIFAR10

from tuner.config.data_config import DataConfig
from tuner.data import load
from tuner.errors import TunerError

NAMES = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]
CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
ARCHIVE = "cifar-10-python.tar.gz"


class OldArray:
    """Pickles an array with integer flags, as the NumPy of 2009 did; NumPy 2.4 warns about them."""

    def __init__(self, array):
        self.array = array

    def __reduce__(self):
        rebuild, arguments, (version, shape, _, fortran, content) = self.array.__reduce__()
        return rebuild, arguments, (version, shape, OldDtype(), fortran, content)


class OldDtype:
    def __reduce__(self):
        return np.dtype, ("u1", 0, True), (3, "|", None, None, None, -1, -1, 0)


def images(name):
    """uint8 (20, 32, 32, 3), two images a class."""
    return np.random.default_rng(NAMES.index(name)).integers(0, 256, (20, 32, 32, 3), dtype=np.uint8)


def official():
    """The content of every file, by name."""
    content = {}
    for name in NAMES:
        rows = images(name).transpose(0, 3, 1, 2).reshape(20, 3072)
        content[name] = pickle.dumps({"data": OldArray(rows), "labels": [i % 10 for i in range(20)]}, protocol=2)
    return content | {"batches.meta": pickle.dumps({"label_names": CLASSES}, protocol=2)}


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Serves the archive; `requests` counts the downloads, `cut` shortens the answer, `content` may be replaced."""
    monkeypatch.setenv("TUNER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TUNER_DATA", str(tmp_path / "data"))
    files = official()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))

    class Handler(http.server.BaseHTTPRequestHandler):
        content = packed.getvalue()
        cut = 0
        requests = 0

        def do_GET(self):
            type(self).requests += 1
            self.send_response(200)
            self.send_header("Content-Length", str(len(self.content)))
            self.end_headers()
            self.wfile.write(self.content[: len(self.content) - self.cut])

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()

    def md5(content):
        return hashlib.md5(content).hexdigest()

    monkeypatch.setattr(CIFAR10, "url", f"http://127.0.0.1:{server.server_port}/{ARCHIVE}")
    monkeypatch.setattr(CIFAR10, "tgz_md5", md5(Handler.content))
    monkeypatch.setattr(CIFAR10, "train_list", [[name, md5(files[name])] for name in NAMES[:5]])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", md5(files["test_batch"])]])
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": md5(files["batches.meta"])})
    monkeypatch.setattr("urllib.request._opener", urllib.request.build_opener(urllib.request.ProxyHandler({})))
    yield Handler
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def place(tmp_path):
    """Puts the files of the archive where they are looked for."""

    def put(**changed):
        folder = tmp_path / "data" / "cifar-10-batches-py"
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in (official() | changed).items():
            (folder / name).write_bytes(content)

    return put


def check(dataset):
    assert dataset.classes == tuple(CLASSES) and dataset.source == "cifar10"
    assert np.array_equal(dataset.train_images, np.concatenate([images(name) for name in NAMES[:5]]))
    assert np.array_equal(dataset.test_images, images("test_batch"))
    assert dataset.train_labels.tolist() == [i % 10 for i in range(20)] * 5


def fails(*parts):
    with pytest.raises(TunerError) as caught:
        load(DataConfig())
    assert "\n" not in caught.value.message
    for part in (*parts, "folder:PATH", "digits"):
        assert part in caught.value.message


def test_it_is_downloaded_once_and_only_the_callback_hears_of_it(site, tmp_path, capfd):
    lines = []
    check(load(DataConfig(), progress=lines.append))
    assert capfd.readouterr() == ("", "")
    assert lines[0].startswith("cifar10: downloading http://127.0.0.1") and str(tmp_path / "data") in lines[0]
    assert any(" MiB" in line for line in lines) and "120 images decoded" in lines[-1]
    assert site.requests == 1 and (tmp_path / "data" / ARCHIVE).exists()
    load(DataConfig(image_size=16))
    check(load(DataConfig()))
    assert site.requests == 1


def test_files_that_are_there_are_used_with_no_network(site, place, tmp_path):
    place()
    check(load(DataConfig()))
    assert site.requests == 0
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["cifar-10-batches-py"]


def test_an_archive_that_is_there_is_unpacked_over_what_an_interruption_left(site, place, tmp_path):
    place(data_batch_3=b"cut short")
    (tmp_path / "data" / ARCHIVE).write_bytes(site.content)
    check(load(DataConfig()))
    assert site.requests == 0


def test_files_that_are_not_the_official_ones_are_refused_and_kept(site, place, tmp_path):
    place(data_batch_3=b"other images")
    fails("data_batch_3", "MD5", ARCHIVE, str(tmp_path / "data"))
    assert site.requests == 0 and (tmp_path / "data" / "cifar-10-batches-py" / "data_batch_3").read_bytes() == b"other images"


def test_without_a_network_the_error_says_where_to_put_it(site, tmp_path, monkeypatch):
    monkeypatch.setattr(CIFAR10, "url", "http://127.0.0.1:9/" + ARCHIVE)
    fails(str(tmp_path / "data"), "Connection refused", ARCHIVE, "http://127.0.0.1:9/")


def test_a_download_that_breaks_off_leaves_nothing(site, tmp_path):
    site.cut = 1000
    fails("broke off", ARCHIVE)
    assert not list((tmp_path / "data").glob("cifar-10*"))
    site.cut = 0
    check(load(DataConfig()))


def test_a_download_with_another_checksum_is_refused(site, tmp_path):
    site.content = site.content[:-1] + b"x"
    fails("another MD5", ARCHIVE)
    assert not list((tmp_path / "data").glob("cifar-10*"))


def test_a_data_folder_that_cannot_be_written_is_named(site, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("TUNER_DATA", str(tmp_path / "file" / "data"))
    fails(str(tmp_path / "file" / "data"), "cannot be written", "TUNER_DATA")


def test_two_that_start_at_once_download_once(site):
    with contextlib.ExitStack() as stack:
        threads = [threading.Thread(target=load, args=(DataConfig(image_size=size),)) for size in (32, 16)]
        for thread in threads:
            stack.callback(thread.join)
            thread.start()
    assert site.requests == 1
    check(load(DataConfig()))


def test_a_damaged_archive_is_said_to_be_damaged(site, tmp_path):
    archive = tmp_path / "data" / ARCHIVE
    archive.parent.mkdir(parents=True, exist_ok=True)
    archive.write_bytes(site.content[:-9])
    site.cut = 9
    fails(repr(str(archive)), "is damaged (its MD5 differs)", "cannot be downloaded")
    site.cut, lines = 0, []
    check(load(DataConfig(), progress=lines.append))
    assert "is damaged" in lines[0]
