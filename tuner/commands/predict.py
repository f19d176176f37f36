"""tuner predict: which classes images are of."""

from __future__ import annotations

from pathlib import Path

import click

from .options import accept_code_option, device_option, json_option


@click.command()
@click.argument("weights", type=click.Path(path_type=Path))
@click.argument("images", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="IMAGE...")
@click.option("--top", type=click.IntRange(min=1), default=3, show_default=True, metavar="K", help="How many classes of each image.")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The configuration of WEIGHTS that carry none.  [default: config.yaml beside them]",
)
@accept_code_option
@device_option
@json_option
def predict(
    weights: Path, images: tuple[Path, ...], top: int, config: Path | None, accept_changed_code: bool, device: str, as_json: bool
) -> None:
    """Say which classes each IMAGE is likely of, with probabilities. IMAGE may be a folder of images.

    WEIGHTS is a file that `tuner train` or `tuner best --weights` wrote: images are resized and normalised as it was
    trained. An image that cannot be read is named, the others are told, and the exit code is 1.
    """
    from ..console.text import print_json, say
    from ..errors import TunerError, shorten
    from ..placement import find_device
    from ..trained.network import open_trained
    from ..trained.predict import list_images
    from ..trained.predict import predict as run

    files, where = list_images(images), find_device(device)
    trained = open_trained(weights, config=config, device=where, say=say, accept_changed_code=accept_changed_code)
    found = []
    for said in run(trained, files, top=top, device=where):
        found.append(said)
        if said.broken is not None:
            say(shorten(said.broken))
        elif not as_json:
            click.echo(shorten(f"{said.image}: " + ", ".join(f"{name} {value:.4f}" for name, value in said.classes), 10_000))
    if as_json:
        print_json({"weights": str(weights), "model": trained.loaded.spec.name, "images": [said.to_dict() for said in found]})
    if broken := sum(said.broken is not None for said in found):
        raise TunerError(f"{broken:,} of {len(found):,} images could not be read: they are named above")
