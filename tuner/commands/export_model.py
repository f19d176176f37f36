"""tuner export-model: a network for programs that know nothing of tuner."""

from __future__ import annotations

from pathlib import Path

import click

from .options import accept_code_option, force_option


@click.command("export-model")
@click.argument("weights", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A .pt2 file.  [default: beside WEIGHTS, with the ending .pt2]",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The configuration of WEIGHTS that carry none.  [default: config.yaml beside them]",
)
@accept_code_option
@force_option
def export_model(weights: Path, out: Path | None, config: Path | None, accept_changed_code: bool, force: bool) -> None:
    """Write the network of WEIGHTS and its normalisation as a file that PyTorch runs without tuner.

    In Python: torch.export.load("weights.pt2").module()(images) gives logits of uint8 images (N, H, W, 3) of the size it
    was trained on.
    """
    from ..console.outputs import check_free, write_output
    from ..console.text import say
    from ..errors import UsageError
    from ..trained.network import open_trained
    from ..trained.program import is_program, make_program

    trained = open_trained(weights, config=config, device="cpu", say=say, accept_changed_code=accept_changed_code)
    path = out or weights.with_suffix(".pt2")
    if path.suffix != ".pt2":
        raise UsageError(f"--out {str(path)!r} must end in .pt2")
    check_free("--out", path, f"made of {weights}", lambda path: is_program(path, weights), force=force)
    if not force and path.is_file() and is_program(path, weights):
        say(f"{path} already holds the network of {weights}")
        return
    write_output(path, make_program(trained, weights))
    size = trained.preprocess.image_size
    say(f"wrote {path}: {trained.loaded.spec.name} for uint8 images (N, {size}, {size}, 3), {len(trained.classes)} classes")
