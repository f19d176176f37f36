"""What people mistype, and what they mean by Ctrl-C: a line that says what to do, and no `Error` where nothing is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import click
import pytest
from click.testing import CliRunner, Result
from optuna.trial import TrialState

from tests import fabricated
from tuner.commands import main
from tuner.errors import Interrupted
from tuner.study.storage import Storage

ROOT = Path(__file__).parent.parent


def run(*arguments: str, charset: str = "utf-8") -> Result:
    """`tuner ARGUMENTS` in this process, on a terminal of that encoding."""
    return CliRunner(charset=charset).invoke(main, arguments)


@pytest.fixture
def made() -> str:
    """The URL of a storage with a study `made` of three finished trials, one that failed, and a reason in Korean."""
    storage = Storage("sqlite:///made.db", make=True)
    study = fabricated.study(storage, {"data": "digits", "width": 0.0625, "space": {"lr": [0.1, 0.01, 0.001], "momentum": [0.0, 0.9]}})
    found = [fabricated.trial(study, {"lr": lr, "momentum": 0.9}, (0.3, 0.5 - lr)) for lr in (0.1, 0.001, 0.01)]
    failed = fabricated.trial(study, {"lr": 0.1, "momentum": 0.0}, (), state=TrialState.FAIL, reason="파일 '고양이.png' → 없음")
    fabricated.add(study, [*found, failed])
    storage.close()
    return "sqlite:///made.db"


def test_a_study_file_and_a_configuration_are_told_apart() -> None:
    study = ROOT / "studies" / "quickstart.yaml"
    done = run("train", str(study))
    remedy = f"`tuner search {study}`, then `tuner best quickstart --export config.yaml` and `tuner train config.yaml`"
    assert (done.exit_code, done.stderr) == (2, f"Error: {study} is a study file, which is searched and not trained: {remedy}\n")
    config = ROOT / "tests" / "made_by_0_1_0" / "config.yaml"
    done = run("search", str(config))
    assert done.exit_code == 2 and f"trained and not searched: `tuner train {config}`" in done.stderr
    assert not list(Path().iterdir()), "something was written"


def test_a_folder_given_as_data_is_offered_as_one() -> None:
    Path("photos").mkdir()
    done = run("search", "quickstart", "--data", "photos")
    assert done.exit_code == 2 and "unknown data 'photos': did you mean 'folder:photos'?" in done.stderr
    assert "unknown data 'photo': known: cifar10, digits, folder:PATH" in run("search", "quickstart", "--data", "photo").stderr


@pytest.mark.parametrize("command", ["delete", "repair"])
def test_ctrl_c_at_a_question_is_no_error_and_changes_nothing(monkeypatch: pytest.MonkeyPatch, made: str, command: str) -> None:
    def interrupt(prompt: str) -> NoReturn:
        raise KeyboardInterrupt

    storage = Storage(made)
    storage.optuna.create_new_trial(storage.optuna.get_study_id_from_name("made"))  # another tool's: `repair` asks about it
    storage.close()
    monkeypatch.setattr(click.termui, "visible_prompt_func", interrupt)
    with pytest.raises(Interrupted, match=r"^interrupted: nothing was changed$"):
        main([command, "made", "--storage", made], standalone_mode=False)
    assert "made" in run("studies", "--storage", made).stdout
    assert len(json.loads(run("repair", "made", "--json", "--storage", made).stdout)) == 1


READING = (("studies",), ("show", "made"), ("show", "made", "--trial", "3"), ("best", "made"), ("repair", "made", "--json"), ("--help",))


@pytest.mark.parametrize("charset", ["ascii", "euc-kr"])
@pytest.mark.parametrize("arguments", READING, ids=" ".join)
def test_every_reading_command_prints_in_every_encoding(made: str, charset: str, arguments: tuple[str, ...]) -> None:
    done = run(*arguments, *(() if arguments[0] == "--help" else ("--storage", made)), charset=charset)
    assert done.exception is None and done.exit_code == 0 and done.stdout_bytes.decode(charset)
    if arguments[:2] == ("show", "made"):
        assert ("파일 '고양이.png' → 없음" if charset == "euc-kr" else "'???.png' ? ??") in done.stdout


@pytest.fixture(scope="session")
def locales(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the locale ko_KR.EUC-KR."""
    folder = tmp_path_factory.mktemp("locales")
    subprocess.run(["localedef", "-i", "ko_KR", "-f", "EUC-KR", str(folder / "ko_KR.EUC-KR")], check=False, capture_output=True)
    if not (folder / "ko_KR.EUC-KR" / "LC_CTYPE").exists():
        pytest.skip("no localedef here that makes ko_KR.EUC-KR")
    return folder


@pytest.mark.parametrize("arguments", [("train", "없음.yaml"), ("best", "--export", "고양이.yaml")], ids=lambda arguments: arguments[0])
def test_a_name_in_another_encoding_than_the_terminal_s_is_a_line(locales: Path, made: str, arguments: tuple[str, ...]) -> None:
    environment = {**os.environ, "LOCPATH": str(locales), "LC_ALL": "ko_KR.EUC-KR", "TUNER_STORAGE": made}
    command = [sys.executable, "-m", "tuner", *(word.encode() for word in arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert done.returncode == 2 and done.stderr.count(b"\n") == 1, done.stderr
    assert b"cannot be written in this terminal's encoding (euc_kr): set PYTHONUTF8=1" in done.stderr


def test_a_report_s_folder_is_made_or_refused_before_any_work(monkeypatch: pytest.MonkeyPatch, made: str) -> None:
    Path("file").touch()
    done = run("report", "made", "--out", "file/r.md", "--storage", made)
    assert (done.exit_code, done.stderr) == (2, "Error: --out 'file/r.md' cannot be written: file exists: give another place\n")
    work: list[bool] = []
    monkeypatch.setattr("tuner.report.page.make_report", lambda study, device, words: work.append(Path("made/here").is_dir()))
    run("report", "made", "--out", "made/here/r.md", "--storage", made)
    assert work == [True]
