"""How a command is found: help that is read in one go, and what a shell offers after TAB."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import BashComplete, CompletionItem
from click.testing import CliRunner

from tests import fabricated
from tests.test_layout import HEAVY
from tuner.commands import main
from tuner.commands.search import GROUPS
from tuner.study.storage import Storage


@pytest.mark.parametrize("name", ["search", "worker"])
def test_help_has_every_option_once_under_its_heading(name: str) -> None:
    text = CliRunner().invoke(main, [name, "--help"]).output
    assert max(len(line) for line in text.splitlines()) <= 80
    for option in main.commands[name].params:
        if isinstance(option, click.Option):
            assert len(re.findall(rf"^  {option.opts[0]}\b", text, re.MULTILINE)) == 1, option.opts
    if name == "search":
        headings = [line[:-1] for line in text.splitlines() if re.fullmatch(r"\w+:", line)]
        assert headings == ["Budget", "Hardware", "Data", "Cluster", "Output", "Options"]
        parts = dict(zip(headings, re.split(r"^\w+:$", text, flags=re.MULTILINE)[1:], strict=True))
        spelt = {option.name: option.opts[0] for option in main.commands[name].params if isinstance(option, click.Option)}
        assert all(f"  {spelt[each]}" in parts[heading] for heading, names in GROUPS.items() for each in names)
        assert parts["Options"].split() == ["-h,", "--help", "Show", "this", "message", "and", "exit."]
        assert len(re.findall(r"^    tuner search ", text, re.MULTILINE)) == 3


def test_no_summary_is_cut_on_a_narrow_terminal() -> None:
    text = CliRunner().invoke(main, ["--help"], terminal_width=46).output
    assert "..." not in text.split("Commands:")[1] and max(map(len, text.split("Commands:")[1].splitlines())) <= 46
    joined = " ".join(text.split())
    for command in main.commands.values():
        assert command.help is not None
        assert " ".join(command.help.split(".")[0].split())[:60] in joined.replace("- ", "-")


def offer(*words: str) -> list[str]:
    """What bash offers for the last of the words."""
    items: list[CompletionItem[str]] = BashComplete(main, {}, "tuner", "_TUNER_COMPLETE").get_completions(list(words[:-1]), words[-1])
    return [item.value if item.type == "plain" else f"({item.type})" for item in items]


def make(file: str, *names: str) -> None:
    storage = Storage(f"sqlite:///{file}", make=True)
    for name in names:
        fabricated.study(storage, {"data": "digits", "space": {"lr": [0.1, 0.2]}}, name=name)
    storage.close()


def test_commands_options_and_studies_are_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    assert offer("s") == ["search", "studies", "show", "simulate", "stop"]
    assert offer("show", "--t") == ["--trial", "--top"] and offer("search", "--precision", "b") == ["bf16"]
    assert offer("show", "") == [] and not Path("studies").exists(), "a storage was made"
    assert offer("search", "my") == ["mynet", "mynet-cpu", "mynet-fast"] and offer("search", "./s") == ["(file)"]
    Path("studies").mkdir()
    make("studies/tuner.db", "mine", "고양이")
    make("other.db", "theirs")
    assert offer("show", "") == ["mine", "고양이"] and offer("delete", "m") == ["mine"]
    assert offer("search", "m") == ["mine", "mynet", "mynet-cpu", "mynet-fast"]
    assert offer("best", "--storage", "sqlite:///other.db", "") == ["theirs"]
    monkeypatch.setenv("TUNER_STORAGE", "postgresql://nobody@192.0.2.1/none")
    assert offer("show", "") == []
    monkeypatch.setenv("TUNER_STORAGE", "sqlite:///damaged.db")
    Path("damaged.db").write_bytes(b"no database")
    assert offer("show", "") == [] and offer("serch", "x") == []


def test_a_shell_is_answered_without_anything_heavy() -> None:
    make("s.db", "mine")
    code = (
        "import sys, atexit\natexit.register(lambda: print(sorted(m.split('.')[0] for m in sys.modules), file=sys.stderr))\n"
        "from tuner.commands import main\nmain(prog_name='tuner')"
    )
    asked = {"_TUNER_COMPLETE": "bash_complete", "COMP_WORDS": "tuner show m", "COMP_CWORD": "2", "TUNER_STORAGE": "sqlite:///s.db"}
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | asked, capture_output=True, text=True, check=False)
    assert done.stdout == "plain,mine\n"
    loaded = {name.strip("'[] \n") for name in done.stderr.split(",")}
    assert "click" in loaded and not loaded & HEAVY
    told = subprocess.run(
        [sys.executable, "-m", "tuner"], env=os.environ | {"_TUNER_COMPLETE": "bash_source"}, capture_output=True, text=True, check=True
    )
    assert "complete -o nosort -F _tuner_completion tuner" in told.stdout
