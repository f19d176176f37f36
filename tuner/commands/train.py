"""tuner train: train a configuration outright, and test it once."""

from __future__ import annotations

from pathlib import Path

import click

from ..config.trial_config import MOST_THREADS
from .options import (
    accept_code_option,
    capture_option,
    data_option,
    device_option,
    force_option,
    gpu_option,
    json_option,
    progress_option,
    storage_option,
)


@click.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where weights.pt and the curves go.  [default: trained/CONFIG]",
)
@click.option("--all-data", is_flag=True, help="Train on the training and the validation part together.")
@click.option("--epochs", type=click.IntRange(min=1), metavar="N", help="Train so many epochs instead of the trial's.")
@click.option("--train-images", metavar="N|all", help="Train on so many images, or on all, instead of the part that was searched on.")
@click.option(
    "--threads",
    type=click.IntRange(min=1, max=MOST_THREADS),
    metavar="T",
    help="CPU threads. With others than the trial's the figures come again nearly, not bit for bit.  [default: the trial's]",
)
@accept_code_option
@force_option
@data_option
@device_option
@gpu_option
@capture_option
@json_option
@progress_option
@storage_option
def train(
    config: Path,
    out: Path | None,
    all_data: bool,
    epochs: int | None,
    train_images: str | None,
    threads: int | None,
    accept_changed_code: bool,
    force: bool,
    data: str | None,
    device: str,
    gpu: str | None,
    capture: bool | None,
    as_json: bool,
    no_progress: bool,
    storage: str | None,
) -> None:
    """Train the configuration in the file CONFIG, made by `tuner best --export`.

    The trial's validation figures come again, epoch by epoch; then the test accuracy, once; it
    is written to the study too, where the storage has it. Run it again to go on
    after an interruption. With other epochs or images it is another configuration: the trial's figures do not come again.
    """
    from ..console.retrained import show_trained
    from ..placement import choose_placements
    from ..retrain import retrain

    [placement, *_] = choose_placements(device=device, gpu=gpu, workers=1, at_most=1)
    folder = out or Path("trained") / config.stem
    result = retrain(
        config,
        folder,
        all_data=all_data,
        epochs=epochs,
        train_images=train_images,
        threads=threads,
        accept_changed_code=accept_changed_code,
        source=data,
        storage=storage,
        device=placement.device,
        capture=capture,
        progress=not no_progress,
        force=force,
    )
    show_trained(result, folder, as_json=as_json)
