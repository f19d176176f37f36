"""The Python face: what is imported when, and the examples of its page, run as they stand."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import tuner
from tests.fabricated import add, study, trial
from tests.test_layout import HEAVY
from tuner.errors import NothingToShow, UsageError
from tuner.search import results
from tuner.signals import catch_signals
from tuner.study.storage import Storage

TINY = """
width: 0.0625
data: digits
train_images: 100
image_size: 8
validation: 0.2
space: {lr: [0.01, 0.02], epochs: 1, batch_size: 32}
"""
AGAIN = """
import sys
print("again", file=sys.stderr)
print(tuner.search("quickstart", trials=2, device="cpu", progress=False))
"""
PAGE = Path(__file__).parent.parent / "docs" / "python.md"


def test_importing_tuner_imports_nothing_heavy_and_search_stays_a_function() -> None:
    code = "import sys, tuner\nloaded = set(sys.modules)\nimport tuner.search.run\nprint(callable(tuner.search), *sorted(loaded))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert said[0] == "True"
    assert "tuner" in said and not set(said) & HEAVY


def test_the_examples_of_the_page_run_as_a_script_that_asks_for_no_main(tmp_path: Path) -> None:
    """A spawned worker would import the script, and begin the search again."""
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "quickstart.yaml").write_text(TINY)  # found before the shipped one
    script = tmp_path / "example.py"
    script.write_text("\n".join([*re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL), AGAIN]))
    done = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "worker died" not in done.stderr
    assert done.stderr.splitlines()[-1] == "again"  # and then all is silent
    assert done.stdout.splitlines()[-1] == "Study('quickstart', 2 of 2 trials finished, in 'sqlite:///studies/tuner.db')"
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_signals_are_left_alone_outside_the_main_thread() -> None:
    """Python refuses to handle them there, and a server searches in a thread."""
    kept = signal.getsignal(signal.SIGTERM)
    with ThreadPoolExecutor(1) as threads:
        with_handler = threads.submit(_catch).result()
    assert with_handler is kept


def _catch() -> object:
    with catch_signals():
        return signal.getsignal(signal.SIGTERM)


@pytest.mark.parametrize(
    "arguments,message",
    [
        ({"trials": 0}, "trials takes a whole number of at least 1, not 0"),
        ({"trials": 2.0}, "trials takes a whole number of at least 1, not 2.0"),
        ({"target": 93}, "target is an accuracy of at most 1, not 93"),
        ({"timeout": "15m"}, "timeout must be above 0, not '15m'"),
        ({"precision": "bf61"}, "unknown precision 'bf61': did you mean 'bf16'?"),
        ({"engine": "slurm"}, "unknown engine 'slurm': known: local, ray"),
        ({"gpu": [7, 8]}, "GPU 7 is not there"),
        ({"stall": -1}, "stall takes seconds, or 0 for never, not -1"),
    ],
)
def test_an_argument_that_is_wrong_is_a_line_and_nothing_is_written(
    small_study: Path, tmp_path: Path, arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        tuner.search(small_study, **arguments)  # type: ignore[arg-type]
    assert not (tmp_path / "studies").exists()


def test_the_storage_is_that_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path}/other.db"
    made = study(Storage(url, make=True), {"data": "digits", "space": {"lr": [0.1, 0.2]}})
    add(made, [trial(made, {"lr": 0.1}, [0.5, 0.7]), trial(made, {"lr": 0.2}, [0.4, 0.9], number=1)])
    monkeypatch.setenv("TUNER_STORAGE", url)
    loaded = tuner.load_study()
    assert (loaded.name, loaded.storage, loaded.total, loaded.finished) == ("made", url, 50, 2)
    assert [row.value for row in loaded.trials] == [0.7, 0.9]
    assert loaded.best.params == {"lr": 0.2}


def test_every_figure_is_a_picture_or_a_line(tmp_path: Path) -> None:
    made = study(Storage(f"sqlite:///{tmp_path}/s.db", make=True), {"data": "digits", "space": {"lr": [0.1, 0.2], "batch_size": [8, 16]}})
    shown = results.Study(made)
    for name in results.FIGURES:
        with pytest.raises(NothingToShow, match="made"):
            shown.figure(name)
    add(
        made,
        [trial(made, {"lr": 0.1 + 0.1 * (n % 2), "batch_size": 8 + 8 * (n // 2 % 2)}, [0.5, 0.6 + 0.01 * n], number=n) for n in range(12)],
    )
    pictures = {name: shown.figure(name).png for name in results.FIGURES}
    assert all(png.startswith(b"\x89PNG") for png in pictures.values()) and len(set(pictures.values())) == len(pictures)
    assert shown.figure("loss", trial=3).png != pictures["loss"]
    with pytest.raises(UsageError, match="no figure 'curve': did you mean 'curves'"):
        shown.figure("curve")
    with pytest.raises(UsageError, match="no such trial"):
        shown.figure("loss", trial=99)
    with pytest.raises(UsageError, match="'curves' is of all trials"):
        shown.figure("curves", trial=1)
    shown.figure("curves").save("a.png")
    with pytest.raises(tuner.TunerError, match="is there already"):
        shown.figure("loss").save("a.png")
    assert Path("a.png").read_bytes() == pictures["curves"]
    shown.figure("loss").save("a.png", force=True)
    assert Path("a.png").read_bytes() == pictures["loss"]
