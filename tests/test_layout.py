"""What holds the code together: imports run one way, the command line is light, the documents do not drift."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

import tuner
from tuner.commands import main

PACKAGE = Path(tuner.__file__).parent
ROOT = PACKAGE.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
# Units from the ground up: each may import those before it, and nothing after it.
LAYERS = (
    "errors",
    "checks",
    "yamlfile",
    "stopping",
    "models.architecture",
    "models",
    "hyperparameters",
    "dimension",
    "config",
    "studyfiles",
    "memory",
    "metrics",
    "capture",
    "models.torch",
    "optimizer",
    "data",
    "train",
    "checkpoint",
    "space",
    "study",
    "claimed",
    "places",
    "objective",
    "output",
    "board",
    "workers",
    "evaluate",
    "retrain",
    "dryrun",
    "terminal",
    "showing",
    "compare",
    "predictions",
    "pictures",
    "report",
    "interactive",
    "notes",
    "artifacts",
    "publish",
    "dashboard",
    "search",
    "joining",
    "commands",
    "__main__",
)
MODELS_WITHOUT_TORCH = {"models", "models.architecture", "models.mynet", "models.googlenet"}
HEAVY = {"torch", "torchvision", "optuna", "sqlalchemy", "numpy", "matplotlib", "plotly", "ray"}


def unit(module: str) -> str:
    """The unit that a module belongs to."""
    if module.startswith("models"):
        if module == "models.architecture":
            return module
        return "models" if module in MODELS_WITHOUT_TORCH else "models.torch"
    return module.split(".")[0]


def imports(path: Path) -> set[str]:
    """The modules of ours that a file imports when it is loaded or run, but for those for type checkers only."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    here = list(parts[:-1])
    found: set[str] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level and id(node) not in typing_only:
            base = here[: len(here) - (node.level - 1)] + (node.module.split(".") if node.module else [])
            for alias in node.names:
                candidate = [*base, alias.name]
                is_module = (PACKAGE.joinpath(*candidate).with_suffix(".py")).exists() or PACKAGE.joinpath(*candidate).is_dir()
                found.add(".".join(candidate if is_module else base))
    return {module for module in found if module}


FILES = sorted(path for path in PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path: Path) -> None:
    module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
    if module == "__init__":
        return
    own = unit(module)
    assert own in LAYERS, f"{module} belongs to no layer: add {own} where it belongs"
    if module == "commands.search":
        assert imports(path), "the reader of imports sees none"
    for other in imports(path):
        theirs = unit(other)
        assert theirs == own or LAYERS.index(theirs) < LAYERS.index(own), f"{module} imports {other}, which lies above it"


def test_a_file_is_one_noun() -> None:
    long = {str(p.relative_to(ROOT)): n for p in FILES if (n := len(p.read_text().splitlines())) > 420}
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


def test_every_file_of_the_tree_in_the_readme_is_there() -> None:
    tree = re.search(r"```text\n(tuner/.*?)```", README, re.DOTALL)
    assert tree is not None
    folder: list[str] = []
    for line in tree.group(1).splitlines():
        indent, name = re.match(r"( *)(\S+)", line).groups()  # type: ignore[union-attr]
        folder = [*folder[: len(indent) // 2], name.rstrip("/")]
        assert ROOT.joinpath(*folder).exists(), line


def test_every_option_named_in_the_readme_is_there() -> None:
    known = {opt for command in main.commands.values() for p in command.params for opt in (*p.opts, *p.secondary_opts)} | {
        "--help",
        "--version",
    }
    named = {word for line in README.splitlines() if "tuner " in line for word in re.findall(r"(?<![\w-])--[a-z][a-z-]+", line)}
    assert named - known - {"--scale"} == set()
