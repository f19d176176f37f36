"""`tuner search wider.yaml --from STUDY`: the trials of an earlier study that lie in the new space, for the sampler alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from tests import fabricated
from tests.test_space import claimed, finish
from tuner.config.study_config import StudyConfig
from tuner.data import load
from tuner.errors import UsageError
from tuner.search.request import Request
from tuner.search.run import run
from tuner.study import studies
from tuner.study.earlier import collect_earlier
from tuner.study.storage import Storage
from tuner.study.study import Study
from tuner.study.trials import find_best, list_trials

LR = {"low": 1e-3, "high": 1e-2, "log": True}
OLD = {"data": "digits", "pruner": "none", "space": {"lr": LR, "epochs": 2}}
WIDER = {
    "data": "digits",
    "pruner": "none",
    "space": {"lr": {**LR, "low": 2e-3, "high": 1.0}, "momentum": {"low": 0.0, "high": 0.95}, "epochs": 2},
}
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
DATA = "0" * 16


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    opened = Storage(f"sqlite:///{tmp_path}/s.db", make=True)
    yield opened
    opened.close()


def make_old(storage: Storage, count: int = 12, **changes: Any) -> Study:
    """Trials of learning rates 0.001, 0.0015, ...; every third is pruned after one of its two epochs."""
    study = fabricated.study(storage, {**OLD, **changes}, name="old", images=100)
    rows = []
    for k in range(count):
        pruned = k % 3 == 2
        state = TrialState.PRUNED if pruned else TrialState.COMPLETE
        rows.append(
            fabricated.trial(
                study, {"lr": 0.001 + k * 0.0005, "epochs": 2}, [0.5] if pruned else [0.5, 0.6 + k / 100], state=state, number=k
            )
        )
    fabricated.add(study, rows)
    return study


def make_wider(storage: Storage, old: Study, trials: int = 5, name: str = "wider", **changes: Any) -> Study:
    config = StudyConfig.from_dict({**WIDER, **changes})
    return studies.create_or_load(storage, name, config, DATA, trials=trials, known=collect_earlier(old, config, DATA))


def see(study: Study) -> list[tuple[int, str, float | None, dict[str, Any]]]:
    trials = study.optuna_study(carried=True).get_trials(deepcopy=False, states=FINISHED)
    return [(t.number, t.state.name, t.value, t.params) for t in trials]


def test_the_sampler_sees_the_trials_in_the_new_space_with_what_was_fixed_before(storage: Storage) -> None:
    study = make_wider(storage, make_old(storage))
    seen = see(study)
    assert [number for number, *_ in seen] == list(range(-10, 0)), "ten of twelve have a learning rate of 0.002 or more"
    assert seen[0] == (-10, "PRUNED", 0.5, {"lr": 0.002, "momentum": 0.9}) and seen[1] == (
        -9,
        "COMPLETE",
        0.63,
        {"lr": 0.0025, "momentum": 0.9},
    )
    assert study.optuna_study(carried=True).get_trials(states=FINISHED)[0].intermediate_values == {1: 0.5}
    assert see(studies.load(storage, "wider")) == seen, "another process sees the same"


def test_totals_rows_and_the_best_are_the_studys_own(storage: Storage) -> None:
    study = make_wider(storage, make_old(storage), trials=3)
    assert study.leases.counts().used == 0 and list_trials(study) == [] and find_best(study) == []
    for _ in range(3):
        leased = claimed(study)
        finish(leased, leased.configure(threads=1, precision="fp32"))
    counts = study.leases.counts()
    assert (counts.finished, counts.n_trials, counts.complete) == (3, 3, 3)
    assert [row.number for row in list_trials(study)] == [0, 1, 2]
    assert study.optuna_study().get_trials(deepcopy=False, states=FINISHED) != [] and len(study.optuna_study().trials) == 3, (
        "a pruner's view"
    )


def test_a_sampler_that_was_told_draws_at_once_where_the_earlier_trials_were_good(storage: Storage) -> None:
    old = fabricated.study(storage, OLD | {"space": {"lr": WIDER["space"]["lr"], "epochs": 2}}, name="old", images=100)  # type: ignore[index]
    rates = [0.002 * 1.17**k for k in range(40)]
    fabricated.add(
        old, [fabricated.trial(old, {"lr": r, "epochs": 2}, [0.5, 0.9 if r < 0.004 else 0.3], number=k) for k, r in enumerate(rates)]
    )

    def draw(study: Study) -> list[float]:
        configs = []
        for _ in range(6):
            leased = claimed(study)
            configs.append(leased.configure(threads=1, precision="fp32"))
            finish(leased, configs[-1])
        return [config.lr for config in configs]

    told = draw(make_wider(storage, old, trials=6))
    untold = draw(studies.create_or_load(storage, "untold", StudyConfig.from_dict(WIDER), DATA, trials=6))
    assert sum(rate < 0.01 for rate in told) >= 4 > sum(rate < 0.01 for rate in untold)


def test_it_goes_on_the_same_when_the_earlier_study_is_gone(storage: Storage) -> None:
    old = make_old(storage)
    seen = see(make_wider(storage, old))
    studies.delete(storage, old)
    assert see(studies.load(storage, "wider")) == seen


def test_a_study_that_another_tool_deleted_leaves_nothing_to_its_successor(storage: Storage) -> None:
    old = make_old(storage)
    study_id = make_wider(storage, old).leases.study_id
    storage.optuna.delete_study(study_id)
    again = make_wider(storage, old, name="again")
    assert again.leases.study_id == study_id, "SQLite gives a number out again"
    assert len(see(again)) == 10


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"validation": 0.2}, "its accuracies mean something else: validation was 0.1 and is now 0.2"),
        ({"train_images": 500}, "train_images was not named and is now 500"),
        ({"sampler": "random"}, "the sampler random learns from no other study's trials: choose sampler tpe or gp"),
        ({"space": {"lr": {"low": 0.5, "high": 1.0}}}, "none of its 12 finished trials lies in this space"),
        ({"space": {"lr": [0.001, 0.0015], "epochs": 3}}, "none of its 12 finished trials lies in this space"),
    ],
)
def test_what_cannot_be_compared_or_used_is_an_error_and_makes_no_study(storage: Storage, changes: dict[str, Any], said: str) -> None:
    old = make_old(storage)
    with pytest.raises(UsageError, match="--from old") as error:
        make_wider(storage, old, **changes)
    assert said in error.value.message and studies.list_studies(storage) == ["old"]


def test_a_seed_of_its_own_is_no_hindrance_and_a_study_that_has_begun_is(storage: Storage) -> None:
    old = make_old(storage)
    assert len(see(make_wider(storage, old, seed=7))) == 10
    assert len(see(make_wider(storage, old, seed=7))) == 10, "the same command again goes on"
    studies.create_or_load(storage, "begun", StudyConfig.from_dict(WIDER), DATA)
    with pytest.raises(UsageError, match="study 'begun' was made without it"):
        make_wider(storage, old, name="begun")


def test_the_search_says_how_many_it_took(tmp_path: Path, small_study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite:///{tmp_path}/t.db"
    old = StudyConfig.from_file(small_study)
    opened = Storage(url, make=True)
    study = studies.create_or_load(opened, "old", old, load(old.data).fingerprint)
    rows = [{"lr": rate, "batch_size": 32, "epochs": 1, "widths.*.pool": 1.0} for rate in (0.002, 0.02)]
    fabricated.add(study, [fabricated.trial(study, row, [0.5]) for row in rows])
    opened.close()
    small_study.write_text(small_study.read_text().replace("low: 1.0e-3", "low: 1.0e-2"))
    request = Request(study="small.yaml", earlier="old", trials=1, device="cpu", workers=1, storage=url, publish=False, progress=False)
    run(request)
    said = capsys.readouterr().err
    assert "The sampler knows 1 of 2 finished trials of study 'old', which lie in this space;" in said
    assert "Study 'small' is finished: 1 of 1 trials." in said
    with pytest.raises(UsageError, match="--from small is the study itself"):
        run(replace(request, earlier="small"))
