"""Input that is no input: each is a result or one line, soon, and in little memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bad_input import CONFIG, READERS, list_corpus
from tests.conftest import ROOT, Tuner
from tuner.config.study_config import StudyConfig
from tuner.config.trial_config import TrialConfig, read_config
from tuner.config.yaml_file import LARGEST, parse, read
from tuner.data.cache import find_root
from tuner.data.cifar10 import root
from tuner.errors import LONGEST, TunerError, UsageError, shorten
from tuner.study.lease import read_lease_seconds
from tuner.study.retry import read_outage_seconds
from tuner.study.samplers import make_sampler
from tuner.study.search_space import find_untried
from tuner.study.storage import Storage
from tuner.study.trying import try_methods

SECONDS = float(os.environ.get("TUNER_TEST_FUZZ_SECONDS", "6"))  # of mutants, for each kind of file


@pytest.mark.parametrize("kind", READERS)
def test_no_input_is_a_traceback_a_hang_or_gigabytes(kind: str) -> None:
    """The corpus, then as many mutants as there is time for; `tests/bad_input.py` says what is wrong with an input."""
    known = len(list(list_corpus(kind)))
    command = [sys.executable, "-m", "tests.bad_input", kind, "0", "1000000", str(SECONDS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300 + SECONDS, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["wrong"] == []
    assert found["tried"] >= known


def study(text: str) -> StudyConfig:
    return StudyConfig.from_dict(parse(text, "s.yaml"), "s.yaml")


NUMBERS = {
    "a whole number beyond 64 bits": ("seed: 1" + "0" * 60, "line 1: a whole number of more than 64 bits"),
    "digits": ("seed: " + "9" * 5_000, "a number of 5000 characters"),
    "sexagesimal": ("seed: 1" + ":1" * 100_000, "a number of 200001 characters"),
    "a date that is none": ("data: 2020-13-45", "'2020-13-45' is no timestamp"),
    "a tag that does not fit": ("seed: !!int foo", "'foo' is no int"),
    "no digits": ("seed: 0x_", "'0x_' is no int"),
    "deep": ("space: " + "[" * 500, "more than 50 deep"),
    "an alias within itself": ("space: &a [*a]", "an alias stands for what it is part of"),
    "many": ("space: [" + "1, " * 60_000 + "]", "more than 50,000 values"),
    "width": ("width: 1e308\nspace: {lr: 1}", "would have more than 1,048,576 channels: give smaller widths"),
    "widths that multiply": ("space: {widths: {'*': {low: 1, high: 1000}, stem: 9000}}", "width stem of mynet would have more than"),
    "a step too small": ("space: {lr: {low: 1, high: 2, step: 1e-308}}", "are more than 1,000,000,000: leave step out"),
    "a step too large": ("space: {lr: {low: 1, high: 2, step: 1e30}}", "steps of 1e+30 from 1.0 do not reach 2.0"),
    "single precision": ("space: {lr: 1e300}", "lr takes numbers up to 3.4e+38, not 1e+300"),
    "a batch": ("space: {batch_size: 1e300}", "batch_size takes numbers up to 2147483647, not 1e+300"),
    "an image": ("image_size: 1000000\nspace: {lr: 1}", "image_size takes a whole number of at most 16384, not 1000000"),
    "a sampler that is no word": ("sampler: [tpe]\nspace: {lr: 1}", "unknown sampler ['tpe']"),
    "a NUL": ('data: "folder:a\\0b"\nspace: {lr: 1}', "is no path: it holds a NUL"),
    "a long name": (f"data: folder:{'x' * 300}\nspace: {{lr: 1}}", "a name of more than 255 bytes"),
    "a long pattern": (f"space: {{widths: {{'{'*' * 101}': 1}}}}", "has more than 100 characters"),
}


@pytest.mark.parametrize("text,message", NUMBERS.values(), ids=NUMBERS)
def test_what_no_machine_could_use_is_refused_with_its_reason(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        study(text)
    assert message in caught.value.message
    assert caught.value.message.startswith("s.yaml") and caught.value.message.isprintable() and len(caught.value.message) <= LONGEST


@pytest.mark.parametrize(
    "line,message",
    [
        ("origin: 3", "origin takes a map such as `study: mynet`, not 3"),
        ("origin: {validation_accuracy: high}", "origin: validation_accuracy takes a number, not 'high'"),
        ("widths: {1: 2}", "widths takes a map of patterns such as '*.n1x1', not 1"),
        ("threads: 1000000", "threads takes a whole number of at most 4096, not 1000000"),
        ("data: {fingerprint: 3}", "fingerprint takes a text, not 3"),
        ("seed: 1" + "0" * 30, "a whole number of more than 64 bits"),
    ],
)
def test_a_configuration_file_s_own_values_are_checked(tmp_path: Path, line: str, message: str) -> None:
    kept = [old for old in CONFIG.splitlines() if not old.startswith(line.partition(":")[0]) and not old.startswith("  ")]
    path = tmp_path / "c.yaml"
    path.write_text("\n".join([*(old for old in kept if old != "data:"), line]))
    with pytest.raises(UsageError) as caught:
        read_config(path)
    assert message in caught.value.message


def test_aliases_that_expand_are_refused_before_they_take_memory() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30))
    with pytest.raises(UsageError, match="line 6: too much, with its aliases written out"):
        parse(bomb, "s.yaml")
    assert parse("a: &a [1, 2]\nb: *a\nc: {<<: {d: 1}, e: *a}", "s.yaml") == {"a": [1, 2], "b": [1, 2], "c": {"d": 1, "e": [1, 2]}}


def test_a_message_is_one_line_that_begins_with_the_place_and_ends_with_the_remedy() -> None:
    message = TunerError(f"s.yaml: lr takes a number, not {'x' * 10**6!r}: give one").message
    assert len(message) == LONGEST and message.startswith("s.yaml: lr takes a number, not 'xxx") and message.endswith("xxx': give one")
    assert shorten("a\nb\x1b[31m\u2028c\ud800 \u00e9\u4e2d") == "a b\\x1b[31m c\\ud800 \u00e9\u4e2d"


def test_a_file_is_read_to_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("#" * LARGEST)
    with pytest.raises(UsageError, match="is empty"):
        read(path)
    path.write_text("#" * (LARGEST + 1))
    with pytest.raises(UsageError, match="larger than the 262,144 bytes that are read"):
        read(path)
    with pytest.raises(UsageError, match="is no path"):
        read(Path("a\0b.yaml"))


@pytest.mark.parametrize("command", ["search", "train"])
def test_a_pipe_and_a_device_are_not_read(tuner: Tuner, tmp_path: Path, command: str) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "zero.yaml").symlink_to("/dev/zero")
    for name in ("pipe.yaml", "zero.yaml"):
        failed = tuner(command, name, code=2)
        assert failed.stderr == f"Error: {name!r} is a pipe or a device: give the path of a YAML file\n"


@pytest.mark.parametrize(
    "args",
    [
        ("search", "{long}/s.yaml"),
        ("search", "quickstart", "--data", "folder:{long}"),
        ("search", "quickstart", "--data", "folder:~nosuchuser/x"),
        ("train", "c.yaml", "--out", "{long}", "--data", "digits"),
        ("evaluate", "{long}"),
        ("show", "--storage", "sqlite:///{long}"),
        ("compare", "--data", "{long}"),
        ("compare", "--data", "~nosuchuser/x"),
    ],
)
def test_a_path_that_is_none_is_a_line(tuner: Tuner, tmp_path: Path, args: tuple[str, ...]) -> None:
    (tmp_path / "c.yaml").write_text(CONFIG.replace('fingerprint: "0123456789abcdef"', "fingerprint: null"))
    failed = tuner(*(arg.replace("{long}", "x" * 300) for arg in args), code=None)
    assert failed.returncode in (1, 2) and failed.stdout == ""
    last = failed.stderr.splitlines()[-1]
    assert "Traceback" not in failed.stderr and last.startswith("Error: ") and len(last) <= LONGEST + 7
    assert ("nosuchuser" if "~nosuchuser" in " ".join(args) else "xxx") in last


def test_a_home_that_is_not_here_is_a_line(tuner: Tuner, tmp_path: Path, small_study: Path) -> None:
    for name in ("TUNER_CACHE", "TUNER_DATA"):
        text = small_study.read_text().replace("data: digits", "data: cifar10") if name == "TUNER_DATA" else small_study.read_text()
        (tmp_path / "s.yaml").write_text(text)
        failed = tuner("search", "s.yaml", env={name: "~nosuchuser/x"}, code=2)
        assert failed.stderr == f"Error: {name}: no user '~nosuchuser' is known here: write the path in full\n"
    assert not (tmp_path / "studies").exists()


@pytest.mark.parametrize("name", ["TUNER_LEASE_SECONDS", "TUNER_PATIENCE_SECONDS"])
def test_seconds_of_the_environment_are_a_number_above_0(tuner: Tuner, tmp_path: Path, small_study: Path, name: str) -> None:
    for value in ("abc", "nan", "0", "-1", "inf", "1e300", "30s"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(name, value)
            reader = read_lease_seconds if name == "TUNER_LEASE_SECONDS" else read_outage_seconds
            for read_seconds in (reader, lambda: Storage("sqlite:///s.db", make=True)):
                with pytest.raises(UsageError) as caught:
                    read_seconds()
                wanted = f"{name}={value!r} is no number of seconds above 0 and up to 10,000,000: set one, or leave it out"
                assert caught.value.message == wanted
    assert not (tmp_path / "s.db").exists()
    failed = tuner("search", "small.yaml", env={name: "abc", "TUNER_CACHE": str(tmp_path / "cache")}, code=2)
    assert failed.stderr == f"Error: {name}='abc' is no number of seconds above 0 and up to 10,000,000: set one, or leave it out\n"
    assert [path.name for path in tmp_path.iterdir()] == ["small.yaml"]


def test_an_empty_variable_is_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TUNER_LEASE_SECONDS", "TUNER_PATIENCE_SECONDS", "TUNER_DATA", "TUNER_CACHE"):
        monkeypatch.setenv(name, "")
    assert (read_lease_seconds(), read_outage_seconds()) == (30.0, 300.0)
    assert find_root().is_absolute() and root().is_absolute()
    monkeypatch.setenv("TUNER_LEASE_SECONDS", " 0.5 ")
    assert read_lease_seconds() == 0.5


def test_a_space_of_2_to_the_31_values_takes_no_memory() -> None:
    config = study(
        "sampler: random\npruner: none\nspace: {epochs: {low: 1, high: 2147483647}, batch_size: {low: 8, high: 100000000, step: 4}}"
    )
    point = find_untried(config, [], {}, seed=0)
    assert point is not None and 1 <= point["epochs"] < 2**31 and point["batch_size"] % 4 == 0
    with pytest.raises(UsageError, match="sampler grid visits every point, and this space has 100,000,000"):
        make_sampler(study("sampler: grid\npruner: none\nspace: {epochs: {low: 1, high: 100000000}}"))


@pytest.mark.parametrize(
    "methods,message",
    [
        ("sampler: {name: tpe, n_ei_candidates: 1000000000}", "n_ei_candidates takes a number up to 10,000, not 1000000000"),
        ("sampler: {name: cmaes, popsize: 1000000000}", "popsize takes a number up to 10,000"),
        ("pruner: {name: sha, min_early_stopping_rate: 1000000000}", "min_early_stopping_rate takes a number up to 10,000"),
        ("sampler: {name: tpe, n_startup_trials: x}", "sampler tpe"),
        ("sampler: {name: tpe, n_startup_trials: [1]}", "n_startup_trials takes a single value, not [1]"),
        ("pruner: {name: median, n_warmup_steps: {a: 1}}", "n_warmup_steps takes a single value"),
    ],
)
def test_options_that_nobody_can_wait_for_are_refused(methods: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        try_methods(study(f"{methods}\nspace: {{lr: {{low: 0.1, high: 1}}, weight_decay: {{low: 0, high: 1}}}}"))
    assert message in caught.value.message


def test_the_largest_values_that_are_allowed_are_read() -> None:
    config = study("seed: 9223372036854775807\nwidth: 1000\nspace: {lr: 3e38, batch_size: 2147483647, widths: {stem: 1e-300}}")
    assert config.seed == 2**63 - 1 and config.fixed["batch_size"] == 2**31 - 1
    assert TrialConfig(width=1000).channels["stem"] == 128_000
