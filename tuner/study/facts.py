"""What is long about a trial: its configuration, its curve, how it ended and what it cost.

It stands in a table of ours. Optuna's tools show a trial's user attributes as columns, so these are few and short. Trials that
version 0.1.0 stored have all of it among their attributes, where it stays; both are read here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from optuna.trial import FrozenTrial

from .lease import FORGIVEN
from .outcome import Outcome, read_outcome
from .storage import Storage
from .tables import facts

NAMES = ("config", "curve", "run", "set", "start", "cost", FORGIVEN)  # part of the stored format
COMPARED = ("stamp", "progress", "hits", "broken", "broken_rows", "versions")  # of a comparison's rows (`compare/rows.py`)
MANY = 500  # trials, from which on it is quicker to read those of the whole study
MOST_LETTERS = 100  # of an outcome in words


def read_facts(storage: Storage, study_id: int, rows: Sequence[FrozenTrial], *names: str) -> list[dict[str, Any]]:
    """The facts of each of these trials of a study, in their order; those of these names only, where any are given."""
    wanted = names or NAMES
    found = {row._trial_id: {name: row.user_attrs[name] for name in wanted if name in row.user_attrs} for row in rows}
    if found and storage.has(facts):
        query = sa.select(facts.c.trial_id, facts.c.name, facts.c.value_json).where(facts.c.study_id == study_id, facts.c.name.in_(wanted))
        if len(found) <= MANY:
            query = query.where(facts.c.trial_id.in_(found))
        with storage.connect() as connection:
            for trial_id, name, text in connection.execute(query):
                if trial_id in found:
                    found[trial_id][name] = json.loads(text)
    return [found[row._trial_id] for row in rows]


def write_facts(storage: Storage, study_id: int, trial_id: int, **named: Any) -> None:
    """Write some of a trial's facts, each in place of what it was. Inside a transaction it is part of that."""
    with storage.transaction() as connection:
        for name, value in named.items():
            assert name in (*NAMES, *COMPARED), name
            mine = (facts.c.study_id == study_id, facts.c.trial_id == trial_id, facts.c.name == name)
            text = json.dumps(value)
            if connection.execute(sa.update(facts).where(*mine).values(value_json=text)).rowcount == 0:
                connection.execute(sa.insert(facts).values(study_id=study_id, trial_id=trial_id, name=name, value_json=text))


def count_forgiven(storage: Storage, study_id: int, trial_id: int) -> int:
    """How many crashes of its workers a trial had when its newest epoch was stored."""
    [found] = read_facts(storage, study_id, [storage.optuna.get_trial(trial_id)], FORGIVEN)
    return int(found.get(FORGIVEN, 0))


def write_run(storage: Storage, study_id: int, trial_id: int, run: Mapping[str, Any]) -> None:
    """Write how a trial ended or paused and what it cost: whole among its facts, in short among its attributes. As `write_facts`."""
    with storage.transaction():
        write_facts(storage, study_id, trial_id, run=dict(run))
        for name, value in describe(run).items():
            storage.optuna.set_trial_user_attr(trial_id, name, value)


def describe(run: Mapping[str, Any]) -> dict[str, Any]:
    """What people should see of it in a column each. No code reads it again."""
    named = {"parameters": "parameters", "images_per_second": "images/s", "device": "device"}
    words = _describe_outcome(run)
    return ({"outcome": words} if words else {}) | {name: run[key] for key, name in named.items() if key in run}


def _describe_outcome(run: Mapping[str, Any]) -> str:
    words = " ".join(str(run.get("reason", "")).split())
    outcome = Outcome(run["outcome"]) if "outcome" in run else read_outcome("COMPLETE", run)
    if outcome is not None and outcome.is_usual:
        words = words.partition(":")[0]  # where the others stood is told on the trial's own page
    return words if len(words) <= MOST_LETTERS else f"{words[: MOST_LETTERS - 1]}…"


def read_seconds(found: Mapping[str, Any]) -> list[float]:
    """Seconds of each epoch that a trial was trained for, from its facts; nothing for one that took over another's figures."""
    return [] if "same_as" in found.get("run", {}) else [float(epoch["seconds"]) for epoch in found.get("curve", [])]
