"""tuner evaluate: the accuracy of saved weights."""

from __future__ import annotations

from pathlib import Path

import click

from .options import data_option, device_option, json_option


@click.command()
@click.argument("weights", type=click.Path(path_type=Path))
@data_option
@click.option(
    "--image-size",
    type=click.IntRange(min=8),
    metavar="N",
    help="Height and width the network sees.  [default: from the config beside, else 32]",
)
@device_option
@json_option
def evaluate(weights: Path, data: str | None, image_size: int | None, device: str, as_json: bool) -> None:
    """Test accuracy of the saved WEIGHTS: ours, or report A's own .pth.

    The images are those of the configuration that `tuner train` left beside the weights, unless --data is given;
    without either, CIFAR-10 normalised by 0.5.
    """
    from ..console.text import print_json
    from ..evaluate import evaluate_file
    from ..placement import find_device

    found = evaluate_file(weights, source=data, image_size=image_size, device=find_device(device))
    if as_json:
        print_json(found)
        return
    click.echo(
        f"{found['model']}, {found['parameters']:,} parameters, on {found['images']:,} test images of {found['data']}: "
        f"accuracy {found['test_accuracy']:.4f}, loss {found['test_loss']:.4f}"
    )
