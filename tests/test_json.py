"""The keys of every command's JSON are those that docs/json.md lists, neither more nor fewer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image

from tests import confirmed, fabricated
from tests.test_simulate import make_curves
from tests.test_simulate import make_study as make_curved_study
from tuner.commands import main
from tuner.study.storage import Storage
from tuner.study.studies import load

PAGE = Path(__file__).parent.parent / "docs" / "json.md"
WHERE = ("--storage", "sqlite:///tuner.db")


@cache
def documented(command: str) -> frozenset[str]:
    section = re.search(rf"^## tuner {re.escape(command)}\n(.*?)(?=^## |\Z)", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert section is not None, f"tuner {command} is not in docs/json.md"
    return frozenset(key for row in re.findall(r"^\| (`.*?) \|", section[1], re.MULTILINE) for key in re.findall(r"`([^`]+)`", row))


def list_keys(content: Any, known: frozenset[str], place: str = "") -> Iterator[str]:
    """The places of all values in a content, each once, as the page writes them."""
    if f"{place}.*" in known:
        assert isinstance(content, dict)
        yield f"{place}.*"
    elif isinstance(content, dict):
        for name, value in content.items():
            yield from list_keys(value, known, f"{place}.{name}" if place else name)
    elif isinstance(content, list) and place not in known:
        for value in content:
            yield from list_keys(value, known, f"{place}[]")
        if not content:
            yield f"{place}[]"
    else:
        yield place


NO_SAMPLERS = frozenset({"samplers[].*"})  # they want 60 trials
NO_CODE = frozenset({"code", "code_was", "trained_code", "[].code", "[].trained_code"})  # no network of one's own
# Figures of epochs where the objective is another: one study of each is read below.
FURTHER = {"balanced_accuracy": ("val_balanced_accuracy", "val_low", "val_high"), "macro_f1": ("val_macro_f1",), "top5": ("val_top5",)}
NO_FURTHER = frozenset(f"epochs[].{key}" for keys in FURTHER.values() for key in keys)


def compare(command: str, *outputs: Any, absent: frozenset[str] = frozenset()) -> None:
    """Together the outputs have the documented keys; `absent` are those that none of them can have here."""
    known = documented(command)
    found = {key for output in outputs for key in list_keys(output, known)}
    empty = {key for key in found - known if any(each.startswith(f"{key}.") for each in known)}  # a list that is empty here
    assert found - empty - known == set(), "printed, and not documented"
    assert known - found - absent == set(), "documented, and not printed"


def run(*arguments: str) -> Any:
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def make_others() -> list[str]:
    """Studies whose epochs have other figures too."""
    storage = Storage("sqlite:///tuner.db")
    for objective in FURTHER:
        study = fabricated.study(storage, {"data": "digits", "objective": objective, "space": {"lr": [0.01], "epochs": 1}}, name=objective)
        fabricated.add(study, [fabricated.trial(study, {"lr": 0.01}, (0.5,))])
    storage.close()
    return list(FURTHER)


def test_a_study_read_by_every_command(tmp_path: Path) -> None:
    make_curved_study(tmp_path, (1 - make_curves(24).errors).tolist())
    storage = Storage("sqlite:///tuner.db")
    storage.optuna.create_new_trial(storage.optuna.get_study_id_from_name("made"))  # another tool's, RUNNING in nobody's hands
    storage.close()
    others = make_others()
    shown = run("show", "made", "--json", *WHERE)
    compare("show STUDY", shown, *(run("show", name, "--json", *WHERE) for name in others))
    assert (shown["study"], shown["n_trials"], shown["n_trials"]) == ("made", shown["slots"], 24)
    storage = Storage("sqlite:///tuner.db")
    confirmed.confirm(load(storage, "made"), 2)
    storage.close()
    one = ("--trial", "0", "--json", *WHERE)
    compare("show STUDY --trial N", *(run("show", name, *one) for name in ("made", *others)))
    compare("best", *(run("best", name, "--json", *WHERE) for name in ("made", *others)))
    compare("best --front COST", run("best", "made", "--front", "parameters", "--json", *WHERE))
    compare("repair", run("repair", "made", "--json", *WHERE))
    compare(
        "simulate", run("simulate", "made", "--pruner", "promote", "--seeds", "2", "--no-progress", "--json", *WHERE), absent=NO_SAMPLERS
    )


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A network trained for an epoch, from a trial that was not."""
    storage = Storage("sqlite:///tuner.db", make=True)
    plain = {"data": "digits", "train_images": 200, "image_size": 8, "width": 0.0625, "space": {"lr": [0.01, 0.1], "epochs": 1}}
    study = fabricated.study(storage, plain)
    fabricated.add(study, [fabricated.trial(study, {"lr": 0.01}, (0.5,))])
    storage.close()
    CliRunner().invoke(main, ["best", "made", "--export", "config.yaml", *WHERE])
    text = re.sub(r"fingerprint: .*", "fingerprint: null", Path("config.yaml").read_text(encoding="utf-8"))
    Path("config.yaml").write_text(re.sub(r"batch_size: .*", "batch_size: 32", text), encoding="utf-8")
    return tmp_path / "trained" / "config" / "weights.pt"


def test_a_network_trained_evaluated_and_compared(weights: Path) -> None:
    compare("train", run("train", "config.yaml", "--device", "cpu", "--no-progress", "--json"), absent=NO_CODE | NO_FURTHER)
    compare("evaluate", run("evaluate", str(weights), "--device", "cpu", "--json"), absent=NO_CODE)
    Image.new("RGB", (8, 8)).save("dark.png")
    compare("predict", run("predict", str(weights), "dark.png", "--device", "cpu", "--json"), absent=frozenset({"images[].broken"}))
    other = weights.with_name("other.pt")
    other.write_bytes(weights.read_bytes())
    given = ("--data", "digits", "--models", f"{weights},{other}", "--device", "cpu", "--study", "nets", "--no-progress", "--json", *WHERE)
    compare("compare", run("compare", *given), absent=NO_CODE)
    compare("show COMPARISON", run("show", "nets", "--json", *WHERE))
    compare("studies", run("studies", "--json", *WHERE))


def test_every_json_option_is_on_the_page() -> None:
    asked = {name for name, command in main.commands.items() if any("--json" in option.opts for option in command.params)}
    listed = set(re.findall(r"^## tuner (\w+)", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert listed == asked
