"""What holds the code together: imports run one way, the command line is light, the documents do not drift."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

import tuner
from tests import layout
from tuner.commands import main

PACKAGE = Path(tuner.__file__).parent
ROOT = PACKAGE.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
# What each room may import. `study/` and `training/` know nothing of each other: trials are trained in `workers/` alone.
MAY_IMPORT = {
    "errors": "",
    "signals": "",
    "placement": "errors",
    "models": "errors",
    "config": "errors models",
    "data": "errors config models",
    "training": "errors placement config models data",
    "study": "errors config models",
    "workers": "errors signals placement models config data training study",
    "console": "errors placement config study workers",
    "evaluate": "errors config models data training study",
    "trained": "errors placement config models data training study",
    "retrain": "errors signals config data models training study console",
    "report": "errors config models data trained training study console",
    "compare": "errors signals placement config models data training study console report",
    "dashboard": "errors placement models trained study console report",
    "search": "errors signals placement config models data training study workers console report dashboard",
    "export": "errors config console study",
    "simulate": "errors config study console report",
    "commands": "errors signals placement config study export simulate search retrain evaluate trained console report compare dashboard",
    "__main__": "commands",
}
FLOORS = 12
ROOMS = 21
HEAVY = {"torch", "torchvision", "optuna", "sqlalchemy", "numpy", "matplotlib", "plotly", "ray"}


FILES = sorted(path for path in PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_what_it_may(room: str) -> None:
    assert layout.draw_arrows(PACKAGE)[room] <= set(MAY_IMPORT[room].split())


def test_every_room_has_its_rule_and_the_rules_know_no_circle() -> None:
    arrows = layout.draw_arrows(PACKAGE)
    assert arrows.keys() == MAY_IMPORT.keys() and len(arrows) <= ROOMS
    allowed = {room: set(others.split()) for room, others in MAY_IMPORT.items()}
    assert layout.find_circle(allowed) == []
    assert "training" not in allowed["study"] and "study" not in allowed["training"]


def test_the_house_is_not_too_high() -> None:
    assert max(layout.count_floors(layout.draw_arrows(PACKAGE)).values()) <= FLOORS


def test_files_know_no_circle_either() -> None:
    modules = layout.list_modules(PACKAGE)
    arrows = {name: layout.read_imports(PACKAGE, path) - {name} for name, path in modules.items()}
    assert arrows["search.run"] >= {"search.request", "workers.supervisor"}, "the reader of imports sees too little"
    assert layout.find_circle(arrows) == []


def test_a_file_is_one_noun() -> None:
    long = {str(p.relative_to(ROOT)): n for p in FILES if (n := len(p.read_text().splitlines())) > 300}
    assert not long


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom tuner.commands import main\nmain(['--help'], standalone_mode=False)\nprint(sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.strip("'[] \n").split(".")[0] for name in done.stderr.split(",")}
    assert "click" in loaded and not loaded & HEAVY, loaded & HEAVY


@pytest.mark.parametrize("name,command", sorted(main.commands.items()))
def test_every_command_has_help_and_stands_in_the_readme(name: str, command: click.Command) -> None:
    assert command.help and command.help.strip()
    assert f"`tuner {name}" in README, f"tuner {name} is not in the README"
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name}: {parameter.opts} has no help"


def test_every_file_of_the_tree_in_the_docs_is_there() -> None:
    page = (ROOT / "docs" / "how-it-works.md").read_text(encoding="utf-8")
    tree = re.search(r"```text\n(tuner/.*?)```", page, re.DOTALL)
    assert tree is not None
    folder: list[str] = []
    for line in tree.group(1).splitlines():
        indent, name = re.match(r"( *)(\S+)", line).groups()  # type: ignore[union-attr]
        folder = [*folder[: len(indent) // 2], name.rstrip("/")]
        assert ROOT.joinpath(*folder).exists(), line


PAGES = [ROOT / "README.md", ROOT / "README.ko.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_option_named_in_the_readme_and_the_docs_is_there(page: Path) -> None:
    known = {opt for command in main.commands.values() for p in command.params for opt in (*p.opts, *p.secondary_opts)} | {
        "--help",
        "--version",
    }
    named = {
        word
        for line in page.read_text(encoding="utf-8").splitlines()
        if "tuner " in line
        for word in re.findall(r"(?<![\w-])--[a-z][a-z-]+", line)
    }
    assert named - known - {"--scale"} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_no_ray_is_installed_whose_own_cluster_asks_for_no_token() -> None:
    """Ray 2.59 is the first that does: who could reach an older one's ports ran code in it."""
    floors = re.findall(r'"ray>=(\d+)\.(\d+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert len(floors) == 2 and all((int(major), int(minor)) >= (2, 59) for major, minor in floors)
