"""What README quotes is what its commands print, but for the figures, which a processor, a clock and chance decide."""

from __future__ import annotations

import re
from pathlib import Path

from tests.conftest import ROOT, Tuner

README = (ROOT / "README.md").read_text(encoding="utf-8")
RECIPE = re.findall(r"^\t\$\(BIN\)/tuner (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


def mask(line: str) -> str:
    """A line without its figures and the width of its columns."""
    return " ".join(re.sub(r"\d[\d,.]*\d|\d", "#", line).split())


def read_quoted(first: str) -> list[str]:
    """The lines of the block in README that begins so; `...` stands for what is left out."""
    [block] = [block for block in re.findall(r"```text\n(.*?)```", README, re.DOTALL) if mask(block).startswith(mask(first))]
    return [line for line in block.splitlines() if line and line != "..."]


def check_quoted(first: str, printed: str) -> None:
    known = {mask(line) for line in printed.splitlines()}
    assert not [line for line in read_quoted(first) if mask(line) not in known]


def test_the_quickstart_prints_what_readme_quotes(tuner: Tuner) -> None:
    """`make quickstart`, command by command and half as long, then the training that README goes on with."""
    assert [line.split()[0] for line in RECIPE] == ["search", "best"]
    as_users_run_it = {"TUNER_PUBLISH": "1", "TUNER_SELF_CHECK": "1"}
    done = [tuner(*line.replace("--trials 20", "--trials 10").split(), env=as_users_run_it) for line in RECIPE]
    check_quoted("trial 9 complete", "".join(each.stderr + each.stdout for each in done))
    assert Path("best.yaml").exists()
    [train] = re.findall(r"`\.venv/bin/tuner (train [^`]*)`", README)
    trained = tuner(*train.split(), env=as_users_run_it)
    check_quoted("epoch 6/6", trained.stderr + trained.stdout)
