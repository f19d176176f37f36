"""tuner evaluate: the accuracy of saved weights."""

from __future__ import annotations

from pathlib import Path

import click

from .options import accept_code_option, data_option, device_option, json_option, storage_option


@click.command()
@click.argument("weights", type=click.Path(path_type=Path))
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The configuration of WEIGHTS that carry none.  [default: config.yaml beside them]",
)
@data_option
@click.option(
    "--image-size",
    type=click.IntRange(min=8),
    metavar="N",
    help="Height and width the network sees.  [default: from the configuration]",
)
@accept_code_option
@device_option
@json_option
@storage_option
def evaluate(
    weights: Path,
    config: Path | None,
    data: str | None,
    image_size: int | None,
    accept_changed_code: bool,
    device: str,
    as_json: bool,
    storage: str | None,
) -> None:
    """Test accuracy of the saved WEIGHTS: ours, or report A's own .pth.

    The images are those of the configuration that the weights carry (older ones: that lies beside them, or --config),
    unless --data is given. Its image size and normalisation hold, and its classes are matched by name. What is found on the test
    images of a study in the storage is written to it.
    """
    from ..config.objective import OBJECTIVES
    from ..console.text import print_json, say
    from ..evaluate import evaluate_file
    from ..placement import find_device

    found = evaluate_file(
        weights,
        config=config,
        source=data,
        image_size=image_size,
        storage=storage,
        device=find_device(device),
        accept_changed_code=accept_changed_code,
        say=say,
    )
    if as_json:
        print_json(found)
        return
    objective = OBJECTIVES[found["objective"]]
    beside = "" if objective.figure in ("accuracy", "loss") else f", {objective.title} {found['test_value']:.4f}"
    click.echo(
        f"{found['model']}, {found['parameters']:,} parameters, on {found['images']:,} test images of {found['data']}: "
        f"accuracy {found['test_accuracy']:.4f}, loss {found['test_loss']:.4f}{beside}"
    )
