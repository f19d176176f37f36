"""The command line on bad input: one line with the value and the remedy, the right exit code, nothing written."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from tests.conftest import Background, Tuner
from tuner.commands import main
from tuner.compare import rows as comparisons
from tuner.config.study_config import StudyConfig
from tuner.errors import UsageError
from tuner.study.storage import Storage
from tuner.study.studies import create_or_load

BAD = {
    "misspelt command": (("serch",), 2, "no command 'serch': did you mean 'search'?"),
    "misspelt study": (
        ("search", "quickstrat"),
        2,
        "no study 'quickstrat' in ./studies or among the shipped ones: did you mean 'quickstart'?",
    ),
    "no such file": (("search", "none/x.yaml"), 2, "no file 'none/x.yaml'"),
    "trials 0": (("search", "quickstart", "--trials", "0"), 2, "--trials"),
    "trials and more": (("search", "quickstart", "--trials", "3", "--more", "2"), 2, "--trials 3 and --more 2 say two things"),
    "more of nothing": (("search", "quickstart", "--more", "2"), 2, "no study in 'sqlite:///studies/tuner.db' yet"),
    "gpu": (("search", "quickstart", "--gpu", "7"), 2, "GPU 7 is not there"),
    "gpu word": (("search", "quickstart", "--gpu", "first"), 2, "--gpu takes GPU numbers such as 0 or 0,1, not 'first'"),
    "device": (("search", "quickstart", "--device", "tpu"), 2, "unknown device 'tpu'"),
    "gpu and device": (("search", "quickstart", "--gpu", "0", "--device", "cpu"), 2, "say two things"),
    "timeout": (("search", "quickstart", "--timeout", "soon"), 2, "--timeout takes a time such as 90s, 15m or 1h30m, not 'soon'"),
    "target": (("search", "quickstart", "--target", "93"), 2, "--target"),
    "data": (("search", "quickstart", "--data", "imagenet"), 2, "unknown data 'imagenet'"),
    "no folder": (("search", "quickstart", "--data", "folder:none"), 2, "none"),
    "storage": (("search", "quickstart", "--storage", "nonsense"), 2, "storage 'nonsense' is not a URL"),
    "storage folder": (("search", "quickstart", "--storage", "sqlite:///none/x.db"), 1, "does not exist"),
    "storage away": (("studies", "--storage", "postgresql://u@127.0.0.1:1/d"), 1, "does not open"),
    "no cifar": (("search", "mynet"), 1, "CIFAR-10"),
    "best of nothing": (("best",), 2, "no study in"),
    "train nothing": (("train", "none.yaml"), 2, "no file 'none.yaml'"),
    "evaluate nothing": (("evaluate", "none.pt"), 2, "no file 'none.pt'"),
    "dashboard beyond loopback": (("dashboard", "--host", "0.0.0.0"), 2, "give --token or set TUNER_DASHBOARD_TOKEN"),
}


@pytest.mark.parametrize("args,code,message", BAD.values(), ids=BAD.keys())
def test_bad_input_is_a_line_and_nothing_is_written(tuner: Tuner, tmp_path: Path, args: tuple[str, ...], code: int, message: str) -> None:
    offline = {"http_proxy": "http://127.0.0.1:1", "https_proxy": "http://127.0.0.1:1", "TUNER_DATA": str(tmp_path / "data")}
    done = tuner(*args, code=code, env=offline)
    assert message in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("Error")]
    assert len(errors) == 1
    assert not list(tmp_path.glob("studies")), "something was written"


def test_less_than_the_study_has_and_another_space_or_data_write_nothing(tuner: Tuner, small_study: Path) -> None:
    tuner("search", "small.yaml", "--trials", "2", "--workers", "1", "--device", "cpu")
    assert "--trials 1 is less than the 2 trials that study 'small' has" in tuner("search", "small.yaml", "--trials", "1", code=2).stderr
    small_study.write_text(small_study.read_text().replace("low: 1, high: 3", "low: 1, high: 4"))
    assert "epochs was {low: 1, high: 3} and is now {low: 1, high: 4}" in tuner("search", "small.yaml", "--more", "1", code=1).stderr
    assert json.loads(tuner("show", "--json").stdout)["n_trials"] == 2
    other = tuner("search", "small.yaml", "--seed", "9", code=1)
    assert "seed was 0 and is now 9" in other.stderr


def test_a_batch_larger_than_the_data_is_an_error_before_anything_is_made(tuner: Tuner, small_study: Path) -> None:
    small_study.write_text(small_study.read_text().replace("[32, 64]", "[32, 4096]"))
    done = tuner("search", "small.yaml", code=2)
    assert "batch_size 4096 is more than the 160 images of the training part" in done.stderr
    assert not Path("studies").exists()


def test_a_dry_run_shows_the_space_and_real_figures_and_writes_nothing(tuner: Tuner, small_study: Path) -> None:
    done = tuner("search", "small.yaml", "--dry-run", "--trials", "7")
    assert re.search(r"lr +0.001 to 0.1, log", done.stdout) and "smallest mynet" in done.stdout and "largest mynet" in done.stdout
    assert re.search(r"7 trials of 1 to 3 epochs on \d worker", done.stdout)
    assert not Path("studies").exists()
    told = [line for line in done.stderr.splitlines() if not line.endswith("so far")]
    largest = [f"measuring the largest network, {size} images at a time" for size in (8, 16, 32, 64)]
    assert told[0] == "starting" and "reading the images" in told and told[-4:] == largest, "what it is at, small batches first"


def folder(root: Path, classes: dict[str, int], parts: tuple[str, ...] = ("train", "test")) -> Path:
    for part in parts:
        for name, count in classes.items():
            (root / part / name).mkdir(parents=True)
            for index in range(count):
                pixels = np.random.default_rng(index).integers(0, 255, (10, 12, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(root / part / name / f"{index}.png")
    return root


def break_image(root: Path) -> None:
    (root / "train" / "a" / "1.png").write_bytes(b"\x89PNG broken")


def empty_image(root: Path) -> None:
    (root / "train" / "a" / "1.png").write_bytes(b"")


def other_class(root: Path) -> None:
    (root / "test" / "b").rename(root / "test" / "c")


@pytest.mark.parametrize(
    "classes,spoil,message",
    [
        ({}, None, "class"),
        ({"a": 4}, None, "'a'"),
        ({"a": 4, "b": 4}, break_image, "1.png"),
        ({"a": 4, "b": 4}, empty_image, "1.png"),
        ({"a": 4, "b": 4}, other_class, "c"),
        ({"a": 4, "b": 1}, None, "'b'"),
    ],
)
def test_a_bad_data_folder_is_a_line_that_names_what_is_wrong(
    tuner: Tuner, tmp_path: Path, small_study: Path, classes: dict[str, int], spoil: Callable[[Path], None] | None, message: str
) -> None:
    root = folder(tmp_path / "images", classes)
    (root / "train").mkdir(parents=True, exist_ok=True)
    (root / "test").mkdir(exist_ok=True)
    if spoil is not None:
        spoil(root)
    small_study.write_text(small_study.read_text().replace("train_images: 200\n", ""))
    done = tuner("search", "small.yaml", "--data", "folder:images", code=1)
    [error] = [line for line in done.stderr.splitlines() if line.startswith("Error")]
    assert message in error
    assert not Path("studies").exists()


def test_a_configuration_file_of_other_images_or_a_newer_format_is_refused(tuner: Tuner, small_study: Path) -> None:
    tuner("search", "small.yaml", "--trials", "1", "--workers", "1", "--device", "cpu")
    tuner("best", "--export", "c.yaml")
    text = Path("c.yaml").read_text()
    Path("new.yaml").write_text(text.replace("format: 1", "format: 9"))
    assert "format 9 is newer than this tuner reads" in tuner("train", "new.yaml", code=2).stderr
    Path("other.yaml").write_text(re.sub("fingerprint: .*", "fingerprint: '0000000000000000'", text))
    assert "is not what other.yaml was found on" in tuner("train", "other.yaml", code=1).stderr


def test_studies_show_and_delete(tuner: Tuner, small_study: Path) -> None:
    tuner("search", "small.yaml", "--trials", "2", "--workers", "1", "--device", "cpu")
    [row] = json.loads(tuner("studies", "--json").stdout)
    assert (row["study"], row["n_trials"], row["complete"]) == ("small", 2, 2)
    assert "small" in tuner("studies").stdout
    one = tuner("show", "small", "--trial", "0").stdout
    assert "Trial 0 of study small: complete" in one and "val accuracy" in one
    assert json.loads(tuner("show", "--trial", "0", "--json").stdout)["number"] == 0
    assert "has no such trial" in tuner("show", "--trial", "9", code=2).stderr
    assert "was not deleted: confirm, or give --yes" in tuner("delete", "small", code=1).stderr
    tuner("delete", "small", "--yes")
    assert list(Path("studies/checkpoints").iterdir()) == []
    assert "no study 'small'" in tuner("show", "small", code=2).stderr


def test_repair_mends_what_another_tool_left(tuner: Tuner, small_study: Path, tmp_path: Path) -> None:
    import optuna

    tuner("search", "small.yaml", "--trials", "2", "--workers", "1", "--device", "cpu")
    rdb = optuna.storages.RDBStorage(f"sqlite:///{tmp_path}/studies/tuner.db")
    optuna.load_study(study_name="small", storage=rdb).ask()
    rdb.remove_session()
    rdb.engine.dispose()
    assert json.loads(tuner("repair", "small", "--json").stdout) == [{"number": 2, "why": "no worker of tuner ever held it"}]
    assert "1 trial is back in the queue" in tuner("repair", "small", "--yes").stderr
    tuner("search", "small.yaml", "--trials", "3", "--workers", "1", "--device", "cpu")
    states = [t["state"] for t in json.loads(tuner("show", "--json").stdout)["trials"]]
    assert states == ["COMPLETE"] * 3


def test_studies_of_nothing_says_so_and_writes_nothing(tuner: Tuner) -> None:
    done = tuner("studies")
    assert "no study yet" in done.stderr and "quickstart" in done.stderr
    assert json.loads(tuner("studies", "--json").stdout) == []
    assert not Path("studies").exists()


@pytest.fixture
def served(background: Callable[..., Background], tuner: Tuner, small_study: Path) -> Callable[..., http.client.HTTPConnection]:
    """Starts the dashboard on a free port; connects to it."""
    tuner("search", "small.yaml", "--trials", "1", "--workers", "1", "--device", "cpu")

    def start(*args: str) -> http.client.HTTPConnection:
        process = background("dashboard", "--port", "0", "--no-browser", *args)
        port = int(process.wait_for(r"http://127\.0\.0\.1:(\d+)/")[1])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.tuner = process  # type: ignore[attr-defined]
        return connection

    return start


def ask(connection: http.client.HTTPConnection, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes]:
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    return response.status, response.read()


def test_the_dashboard_shows_the_study_and_is_read_only(served: Callable[..., Any]) -> None:
    connection = served()
    status, body = ask(connection, "/api/studies")
    assert status == 200 and [s["study_name"] for s in json.loads(body)["study_summaries"]] == ["small"]
    status, body = ask(connection, "/api/studies/1?after=0")
    assert status == 200 and json.loads(body)["trials"][0]["state"] == "Complete"
    assert ask(connection, "/dashboard")[0] == 200
    for method, path in (
        ("POST", "/api/studies"),
        ("POST", "/api/studies/1/rename"),
        ("DELETE", "/api/studies/1"),
        ("PUT", "/api/studies/1/note"),
        ("POST", "/api/trials/1/tell"),
        ("POST", "/api/trials/1/user-attrs"),
    ):
        assert ask(connection, path, method)[0] == 405, path
    assert ask(connection, "/api/studies", Host="evil.example")[0] == 421
    connection.close()
    os.kill(connection.tuner.process.pid, signal.SIGTERM)
    assert connection.tuner.end() == 0


def test_the_dashboard_asks_for_its_token_and_writes_when_allowed(served: Callable[..., Any]) -> None:
    connection = served("--token", "secret", "--allow-writes")
    assert ask(connection, "/api/studies")[0] == 401
    assert ask(connection, "/api/studies", Authorization="Bearer wrong")[0] == 401
    assert ask(connection, "/api/studies", Authorization="Bearer secret")[0] == 200
    connection.request("GET", "/dashboard?token=secret")
    response = connection.getresponse()
    response.read()
    cookie = response.getheader("Set-Cookie", "").split(";")[0]
    assert response.status == 303 and ask(connection, "/api/studies", Cookie=cookie)[0] == 200
    assert ask(connection, "/api/studies/1", "DELETE", Cookie=cookie)[0] == 403
    own = f"http://127.0.0.1:{connection.port}"
    assert ask(connection, "/api/studies/1", "DELETE", Cookie=cookie, Origin=own)[0] == 204
    connection.close()


@pytest.mark.parametrize("name", ["..", ".", "a\nb", b"\xff".decode("utf-8", "surrogateescape"), "x" * 300])
@pytest.mark.parametrize("command", [("show",), ("delete", "--yes"), ("search",)], ids=lambda command: command[0])
def test_a_name_that_cannot_be_a_folder_is_refused(tmp_path: Path, name: str, command: tuple[str, ...]) -> None:
    Path("studies").mkdir()
    Storage(make=True).close()
    done = CliRunner().invoke(main, [command[0], name, *command[1:]])
    assert done.exit_code == 2 and "study name" in done.output and done.output.count("\n") == 1


def test_a_file_whose_stem_is_a_folder_makes_no_study(tuner: Tuner, small_study: Path, tmp_path: Path) -> None:
    """Checkpoints lie in a folder named as the study: `tuner delete ..` removed the database's own."""
    small_study.rename(tmp_path / "...yaml")
    assert "study name '..' cannot be the name of a folder" in tuner("search", "./...yaml", "--trials", "1", code=2).stderr
    assert not Path("studies").exists()
    storage = Storage(f"sqlite:///{tmp_path}/s.db", make=True)
    config = StudyConfig.from_dict({"data": "digits", "space": {"lr": [0.1, 0.2]}})
    for make in (lambda: create_or_load(storage, "..", config, "f"), lambda: comparisons.create_or_load(storage, "..", ["a"], {})):
        with pytest.raises(UsageError, match=re.escape("study name '..' cannot be the name of a folder")):
            make()
    storage.close()
