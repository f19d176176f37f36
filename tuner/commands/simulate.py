"""tuner simulate: what another pruner would have cost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..config.pruners import PRUNERS
from ..config.samplers import SAMPLERS
from .completion import complete_stored
from .options import force_option, json_option, progress_option, storage_option
from .outputs import make_room

if TYPE_CHECKING:
    from ..simulate.sampling import SamplerRow


@click.command()
@click.argument("study", required=False, shell_complete=complete_stored)
@click.option(
    "--pruner",
    "pruners",
    multiple=True,
    type=click.Choice(list(PRUNERS)),
    default=("median", "sha", "hyperband", "promote"),
    show_default="median, sha, hyperband, promote",
    help="Pruner to judge beside no pruning. Repeatable.",
)
@click.option(
    "--sampler",
    "samplers",
    multiple=True,
    type=click.Choice(list(SAMPLERS)),
    help="Sampler to judge beside random draws, on a surrogate fitted to STUDY's trials, at least 60. Repeatable.",
)
@click.option("--workers", type=click.IntRange(min=1), multiple=True, default=(1,), show_default="1", help="Workers. Repeatable.")
@click.option("--seeds", type=click.IntRange(min=2), default=10, show_default=True, metavar="N", help="Searches for each figure.")
@click.option("--picture", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Draw costs and losses to a PNG.")
@force_option
@storage_option
@progress_option
@json_option
def simulate(
    study: str | None,
    pruners: tuple[str, ...],
    samplers: tuple[str, ...],
    workers: tuple[int, ...],
    seeds: int,
    picture: Path | None,
    force: bool,
    storage: str | None,
    no_progress: bool,
    as_json: bool,
) -> None:
    """Replay recorded learning curves under several pruners; nothing is trained.

    With STUDY those of its trials that were trained to their end, at least 20; else three sets that were recorded by others
    on CIFAR-10. Intervals are of 95 %.
    """
    from ..config.objective import ACCURACY
    from ..config.study_files import find
    from ..console.narrow import print_table
    from ..console.text import open_console, print_json, say, say_nothing
    from ..errors import UsageError
    from ..simulate.run import describe, make_table, name_unit
    from ..simulate.run import simulate as run

    if picture is not None and picture.suffix != ".png":
        raise UsageError(f"--picture {str(picture)!r} must end in .png")
    if samplers and study is None:
        raise UsageError("--sampler needs a STUDY, to whose trials the surrogate is fitted")
    shown = "simulation of recorded curves" if study is None else f"simulation of study {find(study)[0]}"
    if picture is not None:
        from ..console.outputs import check_free
        from ..report.pictures.owner import read_owner

        check_free("--picture", picture, f"a {shown}", lambda path: read_owner(path) == shown, force=force)
    opened = None
    sampled: list[SamplerRow] = []
    if study is not None:
        from ..study.storage import Storage
        from ..study.studies import load

        opened = load(Storage(storage), find(study)[0])
    if picture is not None:
        make_room(picture, "--picture")
    tell = say_nothing if no_progress or as_json else say
    rows = run(opened, pruners=pruners, workers=workers, seeds=seeds, say=tell)
    if opened is not None and samplers:
        from ..simulate.run import TRIALS, describe_samplers, make_sampler_table
        from ..simulate.sampling import judge_samplers

        own, options = opened.config.sampler
        methods = {name: (name, options if name == own else {}) for name in samplers if name != "random"}
        surrogate, sampled = judge_samplers(opened, methods, seeds=seeds, trials=TRIALS, workers=workers, say=tell)
    if picture is not None:
        from ..console.outputs import write_output
        from ..report.pictures.owner import write_owner
        from ..simulate.picture import draw_costs

        write_output(picture, write_owner(draw_costs(rows), shown))
    if as_json:
        print_json(
            {"study": study, "seeds": seeds, "rows": [row.to_dict() for row in rows], "samplers": [row.to_dict() for row in sampled]}
        )
        return
    aim = ACCURACY if opened is None else opened.objective
    print_table(open_console(), make_table(rows, seeds=seeds, unit=name_unit(aim)))
    for line in describe(rows, opened, seeds=seeds):
        open_console().print(line, highlight=False)
    if sampled:
        print_table(open_console(), make_sampler_table(sampled, aim))
        for line in describe_samplers(surrogate, sampled):
            open_console().print(line, highlight=False)
