"""tuner best: the best trial, as a table, as JSON, or as a file that trains it again; and whether it really is the best."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import click

from ..config.limits import COSTS, Limits
from .completion import complete_stored
from .help import GroupedCommand
from .options import (
    capture_option,
    data_option,
    device_option,
    force_option,
    gpu_option,
    json_option,
    progress_option,
    storage_option,
    workers_option,
)

if TYPE_CHECKING:
    from ..study.confirmation import Result
    from ..study.study import Study
    from ..study.trials import TrialRow

CONTESTANTS = 3
SEEDS = 5  # as `search/confirm.py` has it, which would take seconds to import
# The options of `tuner best --help`, under their headings.
GROUPS = {
    "Which": ("trial", "max_parameters", "max_macs", "max_milliseconds", "front"),
    "Files": ("export", "weights", "force"),
    "Confirmation": ("confirm", "seeds", "gpu", "device", "workers", "capture", "data", "no_progress"),
    "Output": ("storage", "as_json"),
}


@click.command(cls=GroupedCommand, groups=GROUPS)
@click.argument("study", required=False, shell_complete=complete_stored)
@click.option("--trial", type=click.IntRange(min=0), metavar="N", help="This trial instead of the best.")
@click.option("--max-parameters", type=click.IntRange(min=1), metavar="N", help="The best of at most N parameters.")
@click.option("--max-macs", type=click.IntRange(min=1), metavar="N", help="The best of at most N multiply-adds an image.")
@click.option("--max-milliseconds", type=click.FloatRange(0, min_open=True), metavar="T", help="The best of at most T ms an image.")
@click.option("--front", type=click.Choice(list(COSTS)), help="The trials that none of no more cost beats, cheapest first.")
@click.option(
    "--export", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write the configuration that `tuner train` reads."
)
@click.option(
    "--weights", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write the weights that the search kept of it."
)
@click.option(
    "--confirm",
    type=click.IntRange(min=1),
    is_flag=False,
    flag_value=CONTESTANTS,
    metavar="K",
    help=f"Train the K best ({CONTESTANTS} without a number) and the first start row again on further seeds, and compare them.",
)
@click.option(
    "--seeds",
    type=click.IntRange(min=3),
    metavar="S",
    help=f"Further seeds, with --confirm.  [default: as many as there are, {SEEDS} at first]",
)
@gpu_option
@device_option
@workers_option
@capture_option
@data_option
@progress_option
@force_option
@storage_option
@json_option
def best(
    study: str | None,
    trial: int | None,
    max_parameters: int | None,
    max_macs: int | None,
    max_milliseconds: float | None,
    front: str | None,
    export: Path | None,
    weights: Path | None,
    confirm: int | None,
    seeds: int | None,
    force: bool,
    storage: str | None,
    as_json: bool,
    **hardware: Any,
) -> None:
    """Show the best trial of STUDY (the study searched last), or export its configuration or its weights.

    With --confirm its best configurations are trained again on seeds that the search did not see; run it again to go on after
    an interruption. The best is then the one of the highest mean.
    """
    from ..config.study_files import find
    from ..console.confirmed import collect_confirmation, print_confirmation
    from ..console.narrow import print_table
    from ..console.outputs import check_free, write_output
    from ..console.tables import make_trial_table, print_best, print_within
    from ..console.text import open_console, print_json, say
    from ..console.winners import collect_certainty
    from ..study.confirmation import find_result
    from ..study.front import list_front, rank_within
    from ..study.storage import Storage
    from ..study.studies import load
    from ..study.trials import choose_trial, export_config, is_export

    limits = Limits(parameters=max_parameters, macs=max_macs, milliseconds=max_milliseconds)
    _check(trial, confirm, limits, front, export, weights)
    if confirm is not None:
        loaded = _confirm(study, confirm, seeds, storage, **hardware)
    else:
        loaded = load(Storage(storage), find(study)[0] if study else None)
    if front is not None:
        _show_front(loaded, front, as_json=as_json)
        return
    found = find_result(loaded) if trial is None and not limits else None
    row = rank_within(loaded, limits)[0] if limits else choose_trial(loaded, trial if found is None else found.winner)
    text = export_config(loaded, row)
    whose = f"trial {row.number} of study {loaded.name}"
    if study is None and (export is not None or weights is not None):
        say(f"{whose}, which was searched last")
    if found is not None and found.winner is not None:
        _say_winner(loaded, found)
    if export is not None:
        ours = f"as study {loaded.name} exports it"
        check_free("--export", export, ours, lambda path: is_export(loaded, path), force=force)
    if weights is not None:
        _write_weights(loaded, row, weights, whose, force=force)
    if export is not None:
        write_output(export, text.encode())
    if as_json:
        assert row.config is not None
        on_front = None if loaded.config.cost is None else [each.number for each in list_front(loaded, loaded.config.cost)]
        facts = {"study": loaded.name, **row.to_dict(), **collect_certainty(loaded, row.number), "front": on_front}
        print_json({**facts, "config": row.config.to_dict(), "confirmation": collect_confirmation(loaded)})
        _say_written(export, weights)
        return
    if confirm is not None:
        print_confirmation(loaded)
    elif limits:
        print_within(loaded, limits, 5)
    elif trial is None:
        print_best(loaded, 5)
    else:
        print_table(open_console(), make_trial_table([row], f"Trial {trial} of study {loaded.name}", loaded.val_images))
    click.echo()
    click.echo(text.split("\n", 1)[1].rstrip())
    _say_written(export, weights)


def _check(trial: int | None, confirm: int | None, limits: Limits, front: str | None, export: Path | None, weights: Path | None) -> None:
    """Errors: UsageError for options that do not go together."""
    from ..errors import UsageError

    if trial is not None and limits:
        raise UsageError(f"--trial {trial} is one trial, and {limits} asks for the best of several: give one of them")
    if front is not None and (limits or any(given is not None for given in (trial, confirm, export, weights))):
        raise UsageError(f"--front {front} lists several trials: leave --trial, --max-..., --confirm, --export and --weights out")
    if confirm is not None:
        if trial is not None:
            raise UsageError(f"--trial {trial} and --confirm {confirm} say two things: give one of them")
        if limits:
            raise UsageError(f"--confirm {confirm} trains the best of all trials, and {limits} asks for the best of some: give one of them")
        return
    context = click.get_current_context()
    for parameter in context.command.params:
        name = str(parameter.name)
        typed = context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        if typed and name in GROUPS["Confirmation"]:
            raise UsageError(f"{parameter.opts[0]} is for training with --confirm: add that, or leave it out")


def _confirm(
    study: str | None, k: int, seeds: int | None, storage: str | None, *, data: str | None, no_progress: bool, **hardware: Any
) -> Study:
    from ..config.environment import read_flag
    from ..search.confirm import confirm
    from ..search.request import Request

    publish = read_flag("TUNER_PUBLISH", True)
    request = Request(study=study or "", source=data, storage=storage, publish=publish, progress=not no_progress, **hardware)
    return confirm(request, k, seeds)


def _say_winner(study: Study, found: Result) -> None:
    """That it is not the trial of the highest accuracy that counts here, and by what rule."""
    from ..console.confirmed import list_tied
    from ..console.text import say
    from ..study.trials import find_best

    others = len(list_tied(found))
    rule = f", though {others} more cannot be told apart from it" if others else ""
    say(f"trial {found.winner} is the confirmed best of study {study.name}: the highest mean over {found.seeds} further seeds{rule}")
    known = {each.number for each in found.contestants}
    [top] = find_best(study, copies=False)
    if top.number not in known:
        again = f"tuner best {quote(study.name)} --confirm"
        say(f"trial {top.number}, now the most accurate of the search, is not among those confirmed: `{again}` adds it")


def _show_front(study: Study, cost: str, *, as_json: bool) -> None:
    from ..console.tables import print_front
    from ..console.text import print_json
    from ..study.front import list_front

    if as_json:
        print_json({"study": study.name, "cost": cost, "front": [row.to_dict() for row in list_front(study, cost)]})
    else:
        print_front(study, cost)


def _write_weights(study: Study, row: TrialRow, path: Path, whose: str, *, force: bool) -> None:
    from ..console.outputs import check_free, write_output
    from ..errors import TunerError
    from ..trained.kept import NotKept, is_kept_file, make_kept_file

    check_free("--weights", path, f"the weights of {whose}", lambda path: is_kept_file(study, row, path), force=force)
    try:
        content = make_kept_file(study, row)
    except NotKept as fault:
        again = f"tuner best {quote(study.name)} --trial {row.number} --export config.yaml"
        raise TunerError(
            f"{fault} (a search keeps those of its best trials, --keep, on the machine that trained them): "
            f"train them again with `{again}`, then `tuner train config.yaml`"
        ) from None
    write_output(path, content)


def _say_written(export: Path | None, weights: Path | None) -> None:
    from ..console.text import say

    if export is not None:
        say(f"wrote {export}; next: tuner train {quote(str(export))}")
    if weights is not None:
        say(f"wrote {weights}; next: tuner predict {quote(str(weights))} IMAGE...")
