"""Two objectives: accuracy and a cost. The front is found, shown everywhere, and no member of it is given up for larger networks."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import optuna
import optuna_dashboard
import pytest
from optuna.study import StudyDirection
from optuna.trial import TrialState

from tests import fabricated
from tests.conftest import Background, Tuner
from tests.test_browser import CHROMIUM, page, visible  # noqa: F401 - a fixture
from tests.test_limits import CLASSES, PLAIN, claim, make, size
from tests.test_limits import ask as ask_tuner
from tests.test_promote import pause
from tests.test_publish import ask
from tuner.config.study_config import StudyConfig
from tuner.config.trial_config import TrialConfig
from tuner.dashboard.publish import publish
from tuner.errors import UsageError
from tuner.report.languages.ko import KOREAN
from tuner.report.markdown import to_markdown
from tuner.report.page import make_report
from tuner.study.certainty import measure_certainty
from tuner.study.earlier import collect_earlier
from tuner.study.facts import write_facts, write_run
from tuner.study.front import find_front, find_front_rows
from tuner.study.objectives import read_accuracy
from tuner.study.outcome import Outcome
from tuner.study.promotion import Promotion, estimate_chances, find_promoted, find_raced, to_curve
from tuner.study.safety import describe_safety
from tuner.study.search_space import compare_definitions, define
from tuner.study.storage import Storage
from tuner.study.studies import create_or_load, load
from tuner.study.study import Study
from tuner.study.trials import find_best, list_trials
from tuner.study.trying import try_methods
from tuner.workers.leased_trial import LeasedTrial

TWO = {**PLAIN, "objectives": ["accuracy", "parameters"]}
EPOCHS = 8


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Storage]:
    opened = Storage(f"sqlite:///{tmp_path}/study.db", make=True)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    "changes,message",
    [
        ({"objectives": "accuracy"}, r"objectives takes a list such as \[accuracy, parameters\] \(or macs, milliseconds\), not 'accuracy'"),
        ({"objectives": None}, "objectives takes a list"),
        ({"objectives": [1, 2]}, "objectives takes a list"),
        ({"objectives": []}, "objectives takes accuracy and one cost"),
        ({"objectives": ["accuracy", "weights"]}, "unknown objective 'weights'"),
        ({"objectives": ["parameters"]}, "objectives takes accuracy and one cost"),
        ({"objectives": ["accuracy", "accuracy"]}, "objectives takes accuracy and one cost"),
        ({"objectives": ["accuracy", "parameters", "macs"]}, "objectives takes accuracy and one cost"),
        ({"pruner": "median"}, "pruner median compares accuracies alone, and objectives names parameters too: leave pruner out"),
        ({"pruner": "hyperband"}, "pruner hyperband compares accuracies alone"),
        ({"sampler": "gp"}, "sampler gp searches one objective, .*: choose one of tpe, nsga2, qmc, random, grid"),
        ({"sampler": "cmaes"}, "sampler cmaes searches one objective"),
    ],
)
def test_what_does_not_go_together_is_one_line(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as told:
        StudyConfig.from_dict({**TWO, **changes})
    assert "\n" not in told.value.message


def test_objectives_are_part_of_the_definition_and_come_back() -> None:
    one, two = StudyConfig.from_dict(PLAIN), StudyConfig.from_dict({**PLAIN, "objectives": ["macs", "accuracy"]})
    assert two.cost == "macs" and StudyConfig.from_dict(two.to_dict()) == two
    assert StudyConfig.from_dict({**PLAIN, "objectives": ["accuracy"]}) == one
    assert "objectives" not in define(one, "f") and "objectives" not in one.to_dict(), "today's studies keep their definition"
    assert "objectives was not named and is now [accuracy, macs]" in compare_definitions(define(one, "f"), define(two, "f"))


def finish(study: Study) -> None:
    """A search with one worker that trains nothing: the wider the stem, the more accurate, whatever else."""
    while (trial := claim(study)) is not None:
        config = trial.configure(threads=1, precision="fp32")
        end(trial, config)


def end(trial: LeasedTrial, config: TrialConfig) -> None:
    """The second one diverges, and the third is pruned for another reason, as a tool might."""
    if trial.lease.number == 1:
        trial.finish(TrialState.PRUNED, {"outcome": "diverged", "reason": "test", **trial.cost}, infeasible="diverged")
        return
    if trial.lease.number == 2:
        trial.storage.set_trial_intermediate_value(trial.lease.trial_id, 1, 0.3)
        trial.finish(TrialState.PRUNED, {"outcome": "below_others", "reason": "test", **trial.cost})
        return
    facts = {"outcome": "trained", "reason": "test", **trial.cost}
    trial.finish(TrialState.COMPLETE, facts, value=0.5 + config.widths["stem"] / 100 - abs(config.lr - 0.05))


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "qmc", "random", "grid"])
def test_samplers_search_a_front_and_an_interrupted_search_is_the_same(sqlite: Storage, sampler: str) -> None:
    options = {"tpe": {"n_startup_trials": 4}, "nsga2": {"population_size": 4}}.get(sampler, {})
    space = {"lr": [0.01, 0.05], "epochs": 1, "widths": {"stem": [1.0, 9.0, 20.0, 40.0, 60.0]}}
    plain = {**TWO, "space": space, "sampler": {"name": sampler, **options}}
    try_methods(StudyConfig.from_dict(plain))
    found = []
    for name in ("one", "two"):
        study = make(sqlite, plain, name, 9)
        if name == "two":
            for number in range(5):
                trial = claim(study)
                assert trial is not None
                if number in (0, 3):
                    trial.configure(threads=1, precision="fp32")
                    study.leases.requeue(trial.lease)
                    sqlite.drop_cache()
                    trial = claim(study)
                    assert trial is not None and trial.lease.number == number
                config = trial.configure(threads=1, precision="fp32")
                end(trial, config)
        finish(study)
        found.append([(row.params, row.value) for row in list_trials(study)])
    assert found[0] == found[1] and len(found[0]) == 9
    stored = study.optuna_study()
    assert stored.directions == [StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE]
    assert stored.metric_names == ["validation accuracy", "parameters"]
    rows = find_front_rows(list_trials(study), "parameters")
    assert {(row.value, row.run["parameters"]) for row in rows} == {tuple(trial.values) for trial in stored.best_trials}, "as Optuna's"
    ended = [trial for trial in stored.trials if trial.state is TrialState.COMPLETE]
    assert len(ended) == 7 and all(trial.values == [read_accuracy(trial), size(trial.params["widths.stem"])] for trial in ended)
    assert measure_certainty(study) is None and find_best(study)[0].value == max(value for _, value in found[0] if value is not None)


def plant(seed: int, count: int) -> tuple[list[list[float]], list[int]]:
    """Curves of networks of all sizes: the larger, the more accurate in the end on the whole, and the slower at first by chance."""
    draw = random.Random(seed)
    curves, sizes = [], []
    for _ in range(count):
        place = draw.random()
        end = 0.45 + 0.45 * place - draw.uniform(0, 0.6)
        pace = draw.uniform(0.5, 1.0)
        curves.append([round(end * (1 - 0.7 * 2.7 ** (-pace * epoch)) + draw.uniform(-0.004, 0.004), 4) for epoch in range(1, EPOCHS + 1)])
        sizes.append(int(1000 * 100**place))
    return curves, sizes


def play(study: Study, curves: Sequence[Sequence[float]], sizes: Sequence[int], again: Callable[[], Study] | None = None) -> list[str]:
    """A search with one worker under the study's rule. The epochs that were trained, in order."""
    optuna_storage, done = study.storage.optuna, []
    while (trial := claim(study)) is not None:
        lease = trial.lease
        write_facts(study.storage, study.leases.study_id, lease.trial_id, cost={"parameters": sizes[lease.number]}, config={})
        write_run(study.storage, study.leases.study_id, lease.trial_id, {"outcome": Outcome.TRAINED, "parameters": sizes[lease.number]})
        for epoch in range(len(optuna_storage.get_trial(lease.trial_id).intermediate_values) + 1, EPOCHS + 1):
            value = curves[lease.number][epoch - 1]
            study.leases.write(lease, partial(optuna_storage.set_trial_intermediate_value, lease.trial_id, epoch, value))
            done.append(f"{lease.number}.{epoch}")
            if epoch == EPOCHS:
                told = value if study.config.cost is None else [value, sizes[lease.number]]
                study.leases.finish(lease, partial(study.optuna_study().tell, lease.number, told))
            elif pause(study, lease, epoch):
                break
        study = again() if again is not None else study
    return done


def find_members(curves: Sequence[Sequence[float]], sizes: Sequence[int]) -> set[int]:
    """The trials on the front, had all been trained to their end."""
    front = find_front([(cost, curve[-1]) for curve, cost in zip(curves, sizes, strict=True)])
    return {number for number in range(len(sizes)) if (sizes[number], curves[number][-1]) in front}


@pytest.mark.parametrize("seed", [1, 2])
def test_no_member_of_a_planted_front_is_lost_and_opened_anew_it_is_the_same_search(sqlite: Storage, seed: int) -> None:
    curves, sizes = plant(seed, 30)
    members = find_members(curves, sizes)
    rule = {"name": "promote", "audit": 0}
    plain = {**TWO, "sampler": "random", "pruner": rule, "space": {**PLAIN["space"], "epochs": EPOCHS}}  # type: ignore[dict-item]
    study = make(sqlite, plain, "two", 30)
    done = play(study, curves, sizes)
    states = [trial.state for trial in study.frozen_trials()]
    assert {number for number in members if states[number] is not TrialState.COMPLETE} == set() and len(members) >= 5
    assert len(done) < 0.7 * 30 * EPOCHS and TrialState.PRUNED in states, "and not all were trained to their end"
    assert all(trial.values is None for trial in study.frozen_trials() if trial.state is TrialState.PRUNED)
    assert any("its chance of a place on the front was" in row.reason for row in list_trials(study))
    make(sqlite, plain, "again", 30)
    assert play(load(sqlite, "again"), curves, sizes, again=lambda: load(sqlite, "again")) == done
    assert done == play_rule(curves, sizes, dict(enumerate(map(float, sizes))))[0], "it is the pure rule"


def play_rule(curves: Sequence[Sequence[float]], sizes: Sequence[int], costs: dict[int, float] | None) -> tuple[list[str], set[int]]:
    """The same search by the pure rule alone: its epochs in order, and the trials that were trained to their end."""
    rule, count = Promotion(epochs=EPOCHS, audit=0), len(sizes)
    best: dict[int, list[float]] = {}
    final: dict[int, float] = {}
    paused: dict[int, int] = {}
    done: list[str] = []
    begun, racing = 0, False
    while True:
        number = None if racing else find_promoted(rule, best, paused, costs)
        if number is None and begun < count:
            number, begun = begun, begun + 1
        elif number is None:
            racing, number = True, find_raced(rule, best, final, paused, costs)
        if number is None:
            return done, set(final)
        epoch = paused.pop(number, 0)
        while number not in paused and number not in final:
            epoch += 1
            done.append(f"{number}.{epoch}")
            errors = [1.0 - accuracy for accuracy in curves[number][:epoch]]
            best[number] = to_curve(errors)
            if epoch == EPOCHS:
                final[number] = to_curve(errors[-1:])[0]
            elif epoch in (rule.levels if racing else rule.rungs):
                paused[number] = epoch
                chosen = find_raced(rule, best, final, paused, costs) if racing else find_promoted(rule, best, paused, costs)
                if chosen == number:
                    del paused[number]


def test_of_many_planted_fronts_next_to_nothing_is_lost_and_accuracy_alone_loses_most() -> None:
    count, lost, lost_alone, epochs = 0, 0, 0, 0
    for seed in range(24):
        curves, sizes = plant(seed, 30)
        members = find_members(curves, sizes)
        done, ended = play_rule(curves, sizes, dict(enumerate(map(float, sizes))))
        count, lost, epochs = count + len(members), lost + len(members - ended), epochs + len(done)
        lost_alone += len(members - play_rule(curves, sizes, None)[1])
    assert lost <= 0.02 * count and lost_alone > 0.6 * count, (lost, lost_alone, count)
    assert epochs < 0.65 * 24 * 30 * EPOCHS


def test_a_trial_stands_by_how_far_it_is_behind_the_best_that_costs_no_more() -> None:
    rule = Promotion(epochs=8, audit=0)
    best = {number: to_curve([error]) for number, error in enumerate([0.1, 0.2, 0.3, 0.4, 0.5])}
    alike = dict.fromkeys(best, 100.0)
    for number in best:
        assert find_promoted(rule, best, {number: 1}, alike) == find_promoted(rule, best, {number: 1}) == (number if number < 2 else None)
    assert find_promoted(rule, best, {4: 1}, {**alike, 4: 99.0}) == 4, "it is behind none that costs no more"
    assert find_promoted(rule, best, {1: 1}, {**alike, 4: 99.0}) is None, "which takes a place"
    assert find_promoted(rule, best, {1: 1}, {**alike, 0: 101.0}) == 1
    assert find_promoted(rule, best, {2: 1}, {**alike, 0: 101.0, 1: 101.0}) == 2
    falling = {number: 500.0 - 100 * number for number in best}
    assert [find_promoted(rule, best, {number: 1}, falling) for number in best] == list(best), "all on the front"
    best[0] = to_curve([0.1] * 8)
    final = {0: best[0][-1]}
    assert estimate_chances(rule, best, final, {3: 1}, {**alike, 3: 99.0}) == {3: 1.0}, "nothing finished that costs no more"
    assert estimate_chances(rule, best, final, {3: 1}, alike)[3] < 0.5


def test_an_earlier_study_of_another_kind_is_refused(sqlite: Storage) -> None:
    study = make(sqlite, TWO, "two")
    with pytest.raises(UsageError, match="--from two is for studies of accuracy alone, and objectives names parameters too"):
        collect_earlier(study, StudyConfig.from_dict(PLAIN), "f")


def test_a_study_of_one_objective_does_not_become_one_of_two(sqlite: Storage) -> None:
    make(sqlite, PLAIN, "s")
    with pytest.raises(Exception, match="study 's' was made with another definition: objectives was not named and is now"):
        make(sqlite, TWO, "s")
    foreign = optuna.create_study(storage=sqlite.optuna, study_name="theirs", direction="minimize")
    assert foreign.directions == [StudyDirection.MINIMIZE]
    with pytest.raises(Exception, match="has the direction minimize"):
        create_or_load(sqlite, "theirs", StudyConfig.from_dict(TWO), "f", classes=CLASSES)


@pytest.fixture
def planted(tmp_path: Path) -> Iterator[Study]:
    """A study of two objectives whose front is known: trials 0, 2, 3 and 5; trial 4 was pruned, and trial 6 diverged."""
    storage = Storage(f"sqlite:///{tmp_path}/s.db", make=True)
    plain = {
        "data": "digits",
        "objectives": ["accuracy", "parameters"],
        "space": {"lr": {"low": 0.001, "high": 0.1, "log": True}, "epochs": 2},
    }
    study = fabricated.study(storage, plain, name="net", images=100)
    figures = [(0.5, 1000), (0.6, 3000), (0.7, 2000), (0.8, 2500), (0.6, 4000), (0.9, 9000), (0.1, 500)]
    for number, (accuracy, parameters) in enumerate(figures):
        state = TrialState.COMPLETE if number not in (4, 6) else TrialState.PRUNED
        row = fabricated.trial(
            study, {"lr": 0.002 * (number + 1), "epochs": 2}, [0.1, accuracy], state=state, parameters=parameters, number=number
        )
        row.values = [accuracy, parameters] if state is TrialState.COMPLETE else None
        row.user_attrs["run"] |= {"chance": 0.02} if number == 4 else {}
        fabricated.put(study, row)
    yield study
    storage.close()


FRONT = [0, 2, 3, 5]


def test_the_front_is_in_best_report_note_and_copy(tmp_path: Path, planted: Study) -> None:
    where = ("--storage", f"sqlite:///{tmp_path}/s.db")
    assert [trial.number for trial in planted.optuna_study().best_trials] == FRONT, "Optuna finds the same"
    best = json.loads(ask_tuner("best", "net", "--json", *where))
    listed = json.loads(ask_tuner("best", "net", "--front", "parameters", "--json", *where))["front"]
    assert best["front"] == [row["number"] for row in listed] == FRONT and (best["number"], best["value"]) == (5, 0.9)
    said = ask_tuner("best", "net", *where)
    assert re.search(
        r"Front of study net: no trial of no more parameters is more accurate *\n.*\n *0 +complete +0.5000.* 1,000 .*\n *2 ", said
    )
    assert ask_tuner("show", "net", "--csv", *where).splitlines()[5].startswith("4,PRUNED,0.6,"), (
        "a pruned trial has the accuracy of its last epoch"
    )
    small = ask_tuner("best", "net", "--max-parameters", "2400", "--export", "small.yaml", *where)
    assert "Best of study net within 2,400 parameters" in small and "trial: 2\n" in Path("small.yaml").read_text()
    ask_tuner("export", "net", f"sqlite:///{tmp_path}/copy.db", "--to", "optuna", *where)
    copied = optuna.load_study(study_name="net", storage=f"sqlite:///{tmp_path}/copy.db")
    assert [trial.number for trial in copied.best_trials] == FRONT and len(copied.trials) == 7
    assert "study 'net' has parameters as an objective too" in ask_tuner("simulate", "net", "--no-progress", *where, code=2)
    english, korean = to_text(planted), to_text(planted, KOREAN)
    assert (
        "## The front" in english
        and "4 trials lie on the front, where no trial of no more parameters is more accurate: from trial 0" in english
    )
    assert "| 2 | 70.00 % | 2,000 |" in english and "pictures/front.png" in english
    assert "## 파레토 경계" in korean and "경계에 있는 시도는 4개이다" in korean
    left = "Of the trials that paused, 1 stayed there; the chance that any would have been on the front is about 2 %."
    assert left in english and left in describe_safety(planted) and "그중 하나가 경계에 올랐을 확률은 약 2 %이다." in korean
    assert "only those went on that still stood a chance of a place on the front" in english
    publish(planted)
    assert "cheapest first: trials 0, 2, 3 and 5." in optuna_dashboard.get_note(planted.optuna_study())
    shown = json.loads(ask(optuna_dashboard.wsgi(planted.storage.optuna), f"/api/studies/{planted.leases.study_id}"))
    assert shown["directions"] == ["maximize", "minimize"] and [trial["number"] for trial in shown["best_trials"]] == FRONT


def to_text(study: Study, *words: Any) -> str:
    return to_markdown(make_report(study, "cpu", *words), "pictures")[0]


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")
def test_the_dashboard_draws_the_front(page: Any, planted: Study, background: Callable[..., Background]) -> None:  # noqa: F811
    where = str(planted.storage.url)
    address = background("dashboard", "--port", "0", "--no-browser", "--storage", where).wait_for(r"http://127\.0\.0\.1:\d+/")[0]
    page.goto(f"{address}dashboard/studies/1")
    visible(page, re.compile("Pareto"))


def test_a_front_is_searched_from_the_command_line(tuner: Tuner) -> None:
    Path("net.yaml").write_text(
        """
width: 0.01
data: digits
train_images: 100
image_size: 8
validation: 0.4
objectives: [accuracy, parameters]
pruner: {name: promote, audit: 0}
space:
  lr: {low: 1.0e-2, high: 1.0e-1, log: true}
  batch_size: 16
  epochs: {low: 1, high: 2}
  widths: {"*": {low: 1.0, high: 9.0}}
"""
    )
    where = ("--storage", "sqlite:///s.db")
    assert "--target 0.9 is an accuracy, and objectives names parameters too: leave --target out" in ask_tuner(
        "search", "net.yaml", "--target", "0.9", "--no-progress", *where, code=2
    )
    told = tuner("search", "net.yaml", "--trials", "4", "--workers", "2", "--keep", "1", "--no-progress", *where)
    assert "Study 'net' is finished: 4 of 4 trials." in told.stderr, told.stderr
    assert "Front of study net: no trial of no more parameters is more accurate" in told.stdout
    storage = Storage("sqlite:///s.db")
    study = load(storage, "net")
    front = {(row.value, row.run["parameters"]) for row in find_front_rows(list_trials(study), "parameters")}
    assert {tuple(trial.values) for trial in study.optuna_study().best_trials} == front
    assert {row.number for row in find_front_rows(list_trials(study), "parameters")} <= study.files.numbers(), "their weights are kept"
    storage.close()
