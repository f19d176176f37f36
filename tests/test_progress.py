"""How far a running search is: steps within an epoch, counted and said without holding up the training, and shown beside the rest."""

from __future__ import annotations

import io
import multiprocessing
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.progress import ProgressSample, Task

from tests import fabricated
from tests.test_leases import claim
from tests.test_objective import STUDY, make_study, train
from tuner.config.study_config import StudyConfig
from tuner.config.trial_config import TrialConfig
from tuner.console import training
from tuner.console.live import LiveProgress
from tuner.console.progress import PlainProgress
from tuner.console.time_left import TimeLeft
from tuner.data import load as load_data
from tuner.data.parts import Parts
from tuner.placement import Placement
from tuner.study.lease import Counts
from tuner.study.outcome import Outcome
from tuner.study.storage import Storage
from tuner.study.study import Study
from tuner.training.score import Score
from tuner.workers import pace as pace_file
from tuner.workers.events import EpochReported, StepsTaken, TrialEnded, TrialStarted, Waiting
from tuner.workers.pace import Pace
from tuner.workers.worker import Signals

CONFIG = TrialConfig(batch_size=32, epochs=4, lr=0.01)


def steps(step: int, *, epoch: int = 1, of: int = 10, speed: float = 2.0) -> StepsTaken:
    return StepsTaken(number=3, epoch=epoch, step=step, steps=of, steps_per_second=speed, images_per_second=32 * speed)


def test_steps_are_counted_and_said_twice_a_second_without_evaluations() -> None:
    now, said = [0.0], list[StepsTaken]()
    pace = Pace(3, CONFIG, said.append, clock=lambda: now[0])
    for step in range(10):  # one epoch was trained before an interruption
        pace.step(2, step, 10)
        now[0] += 0.2
    assert [(event.epoch, event.step, event.steps) for event in said] == [(2, 3, 10), (2, 6, 10), (2, 9, 10)]
    assert [event.images_per_second for event in said] == pytest.approx([160.0] * 3), "five steps of 32 images a second"
    now[0] += 100  # an evaluation and a checkpoint
    pace.step(3, 0, 10)
    assert len(said) == 3
    now[0] += 0.5
    pace.step(3, 1, 10)
    assert (said[3].epoch, said[3].step, said[3].steps_per_second) == (3, 1, 2.0)


def test_training_outright_shows_on_a_terminal_how_far_it_is_and_says_nothing_in_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(training, "open_console", lambda **_: Console(file=screen, force_terminal=True, width=80))
    with training.show_steps(CONFIG, 4, shown=True) as view:
        view.step(1, 0, 10)
    assert screen.getvalue() == "", "stderr is no terminal here"
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with training.show_steps(CONFIG, 4, shown=True) as view:
        for number in range(5):
            view.step(3, number, 10)
        view.say("epoch 2/4: train loss 1.0")
        view.step(3, 7, 10)
    assert re.search(r"\x1b\[2K(\x1b\[\w+)*epoch 2/4: train loss 1.0\r?\n", screen.getvalue()), "the line that lives makes room for it"
    drawn = [line for line in re.sub(r"\x1b\[[^A-Za-z]*[A-Za-z]", "\n", screen.getvalue()).split("\n") if "epoch" in line]
    assert any("epoch 3/4  70%" in line for line in drawn)
    task = Task(0, "", 40, 30, _get_time=lambda: 10.0)
    task.start_time = 0.0
    task._progress.extend([ProgressSample(0.0, 0), ProgressSample(5.0, 10)])
    assert str(training.PaceColumn(32).render(task)) == "64 images/s, about 5 s left"


def test_a_supervisor_that_hears_nothing_holds_up_no_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(Signals, "_listen", lambda _: None)  # it ends this process when the pipe is closed
    ours, theirs = multiprocessing.Pipe()
    signals = Signals(theirs)
    for step in range(5000):  # many times what a pipe holds
        signals.say(steps(step))
    heard = 0
    while ours.poll():
        heard += isinstance(ours.recv(), StepsTaken)
    assert 1 <= heard < 5000
    signals.say(steps(7))
    assert ours.poll(10) and ours.recv() == steps(7), "there is room again"
    theirs_event = EpochReported(number=3, epochs=4, score=score(1, 0.5), new=True)
    signals.say(theirs_event)
    assert ours.poll(10) and ours.recv() == theirs_event


def score(epoch: int, accuracy: float) -> Score:
    return Score(epoch=epoch, train_loss=1.0, train_accuracy=accuracy, val_loss=1.0, val_accuracy=accuracy, seconds=1.0)


@pytest.fixture
def study() -> Iterator[Study]:
    storage = Storage("sqlite:///s.db", make=True)
    yield fabricated.study(storage, {"data": "digits", "space": {"lr": [0.01, 0.1]}})
    storage.close()


def show(live: LiveProgress, width: int) -> list[str]:
    live.console = Console(file=io.StringIO(), width=width, markup=False, emoji=False)
    live.console.print(live)
    return live.console.file.getvalue().splitlines()  # type: ignore[attr-defined,no-any-return]


def test_the_view_shows_steps_speeds_and_the_trials_that_ended_last_with_the_best_so_far(study: Study) -> None:
    live = LiveProgress(study, [Placement()], Counts(n_trials=20), Console(file=io.StringIO()))
    for number, accuracy in enumerate((0.5, 0.75, 0.625, 0.25)):
        live.event(0, TrialStarted(number=number, config=CONFIG, epoch=0))
        live.event(0, EpochReported(number=number, epochs=4, score=score(1, accuracy), new=True))
        kept = accuracy if number < 3 else None
        live.event(0, TrialEnded(number=number, outcome=Outcome.TRAINED if number < 3 else Outcome.BELOW_OTHERS, reason="", value=kept))
    live.event(0, TrialStarted(number=4, config=CONFIG, epoch=0))
    live.event(0, steps(5))
    live.event(0, EpochReported(number=4, epochs=4, score=score(1, 0.125), new=True))
    assert next(line for line in show(live, 80) if " 1/4 " in line).split() == ["1", "4", "1/4", "64", "0.1250", "▅", "lr", "0.01"]
    live.event(0, steps(9, epoch=2, of=20, speed=1000.0))
    lines = show(live, 120)
    assert lines[2].split()[:5] == ["worker", "trial", "epoch", "steps/s", "images/s"]
    assert lines[3].split()[:7] == ["1", "4", "2/4", "45%", "1,000.0", "32,000", "0.1250"]
    assert [line.split()[:4] for line in lines[5:]] == [
        ["3", "pruned", "0.2500", "0.7500"],
        ["2", "complete", "0.6250", "0.7500"],
        ["1", "complete", "0.7500", "0.7500"],
    ]
    narrow = show(live, 40)
    assert max(len(line) for line in narrow) <= 40 and any("2/4 45%" in line and "0.1250" in line for line in narrow)
    assert not any("…" in line for line in narrow), "nothing is cut: what has no room is left out"
    assert "best 0.7500 (trial 1)" in " ".join(" ".join(narrow).split())
    live.event(0, Waiting(held=1))
    waiting = show(live, 40)
    assert "…" not in "".join(waiting) and all(word in " ".join(waiting) for word in ["waiting", "for", "other", "workers'", "trials"])


def test_a_trial_that_begins_while_the_view_is_drawn_waits_for_the_drawing(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rich draws from a thread of its own, at any moment: here it is met in the middle of the time left."""
    live = LiveProgress(study, [Placement(), Placement()], Counts(n_trials=9), Console(file=io.StringIO()))
    for number in range(2):
        live.event(number, TrialStarted(number=number, config=CONFIG, epoch=0))
        live.event(number, EpochReported(number=number, epochs=4, score=score(1, 0.5), new=True))
    expect, begun = TimeLeft._expect, list[threading.Thread]()

    def meet(self: TimeLeft, seen: Any) -> float | None:
        if not begun:
            begun.append(threading.Thread(target=live.event, args=(0, TrialStarted(number=2, config=CONFIG, epoch=0))))
            begun[0].start()
            begun[0].join(0.5)  # as long as it is given to come in between
        return expect(self, seen)

    monkeypatch.setattr(TimeLeft, "_expect", meet)
    assert any("1/4" in line for line in show(live, 80))
    begun[0].join()
    assert any(" 2 " in line and "0/4" in line for line in show(live, 80))


def test_the_last_summary_names_the_best_trial_though_the_database_knew_of_its_end_first(
    study: Study, capsys: pytest.CaptureFixture[str]
) -> None:
    view = PlainProgress(study, [Placement()], Counts(n_trials=2))
    view.event(0, TrialEnded(number=0, outcome=Outcome.TRAINED, reason="", value=0.5))
    view.counts(Counts(n_trials=2, complete=2))
    view.event(0, TrialEnded(number=1, outcome=Outcome.TRAINED, reason="", value=0.75))
    view.counts(Counts(n_trials=2, complete=2))
    view.counts(Counts(n_trials=2, complete=2))
    summaries = [line for line in capsys.readouterr().err.splitlines() if " of 2 trials" in line]
    assert [line.partition(", best ")[2] for line in summaries] == ["0.5000 (trial 0)", "0.7500 (trial 1)"]


def test_a_trial_that_says_its_steps_trains_to_the_same_figures(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config, found = StudyConfig.from_dict(STUDY), []
    parts = Parts(load_data(config.data), config.data, "cpu")
    for name, pause in (("silent", 1e9), ("said", 0.0)):
        monkeypatch.setattr(pace_file, "PAUSE_SECONDS", pause)
        said: list[object] = []
        made = make_study(tmp_path / name)
        row = train(made, claim(made), parts, said.append)
        found.append([{key: value for key, value in epoch.items() if key != "seconds"} for epoch in row.epochs])
        places = [(event.epoch, event.step) for event in said if isinstance(event, StepsTaken)]
    assert found[0] == found[1] and len(found[0]) > 0
    assert places == [(epoch, step) for epoch in range(1, len(found[0]) + 1) for step in range(1, 1 + max(step for _, step in places))]
