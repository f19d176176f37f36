"""tuner compare: networks side by side on the same images."""

from __future__ import annotations

from pathlib import Path

import click

from ..config.data_sources import list_specs
from .options import accept_code_option, device_option, force_option, json_option, progress_option, storage_option
from .outputs import make_room


@click.command()
@click.option(
    "--data",
    required=True,
    metavar="PATH",
    help=f"ImageNet's validation set: class folders by WordNet id, or flat with the devkit; or {list_specs()}.",
)
@click.option(
    "--models",
    default="alexnet,vgg16,resnet18,googlenet",
    show_default=True,
    metavar="NAME[,NAME...]",
    help="Classification models of torchvision, or files of weights that `tuner train` wrote.",
)
@click.option("--weights", multiple=True, metavar="NAME=FILE", help="A model's weights from a file of torchvision's. Repeatable.")
@click.option("--config", multiple=True, metavar="WEIGHTS=FILE", help="Configuration of weights that carry none. Repeatable.")
@click.option("--batch-size", type=click.IntRange(min=1), metavar="N", help="Images at a time.  [default: 32 on the CPU, else 100]")
@click.option("--fresh", is_flag=True, help="Run models again that are finished.")
@click.option("--study", metavar="NAME", help="The study that keeps the results.  [default: compare-..., one for each set of images]")
@click.option("--picture", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Draw accuracy against cost, as a PNG.")
@accept_code_option
@force_option
@device_option
@storage_option
@json_option
@progress_option
def compare(
    data: str,
    models: str,
    weights: tuple[str, ...],
    config: tuple[str, ...],
    batch_size: int | None,
    fresh: bool,
    study: str | None,
    picture: Path | None,
    accept_changed_code: bool,
    force: bool,
    device: str,
    storage: str | None,
    as_json: bool,
    no_progress: bool,
) -> None:
    """Compare pretrained networks on ImageNet's validation images, or networks of ours on their own.

    Images are read once for all models. Results stay in a study: run the same command again to go on after an
    interruption, or with more models to add them.
    """
    from ..compare.run import Request
    from ..compare.run import compare as run
    from ..compare.table import print_rows
    from ..console.text import print_json, say
    from ..errors import UsageError
    from ..placement import find_device

    if picture is not None and picture.suffix != ".png":
        raise UsageError(f"--picture {str(picture)!r} must end in .png")
    if picture is not None:
        make_room(picture, "--picture")
    files: dict[str, dict[str, Path]] = {"weights": {}, "config": {}}
    for option, example, pairs in (("weights", "alexnet=alexnet.pth", weights), ("config", "mynet.pt=config.yaml", config)):
        for pair in pairs:
            name, equals, path = pair.partition("=")
            if not (name and equals and path):
                raise UsageError(f"--{option} takes NAME=FILE such as {example}, not {pair!r}")
            files[option][name] = Path(path)
    request = Request(
        data=data,
        models=[name.strip() for name in models.split(",") if name.strip()],
        weights=files["weights"],
        configs=files["config"],
        device=find_device(device),
        batch_size=batch_size,
        fresh=fresh,
        study=study,
        storage=storage,
        progress=not no_progress,
        accept_changed_code=accept_changed_code,
    )
    if picture is not None:
        from ..console.outputs import check_free
        from ..report.pictures.owner import read_owner

        # Before anything is compared; which comparison it is stands only at the end.
        check_free("--picture", picture, "a comparison", lambda path: (read_owner(path) or "").startswith("comparison "), force=force)
    name, rows = run(request)
    if as_json:
        print_json(rows)
    else:
        print_rows(rows, name, data)
    if picture is not None:
        from ..console.outputs import write_output
        from ..report.pictures.compared import draw_accuracy_against_cost
        from ..report.pictures.owner import write_owner

        shown = f"comparison {name}"
        check_free("--picture", picture, shown, lambda path: read_owner(path) == shown, force=force)
        write_output(picture, write_owner(draw_accuracy_against_cost(rows), shown))
        say(f"wrote {picture}")
