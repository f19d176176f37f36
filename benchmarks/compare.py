"""Pretrained networks compared, images a second through all of them: report B's loop against `tuner compare`'s pass.

500 generated JPEGs of ImageNet's size (500x375, about 100 KB), decoded from disk. The naive side reads them again for
each model, with four workers, in batches of 100. Below are the seconds of one comparison, and of its decoding and
its arithmetic alone: the parts overlap, so that they may add up to more than the whole.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from rich.table import Table

from tuner.data.imagenet import list_wnids

from .measure import Comparison, arguments, conclude, console
from .sides import Side, Turn, players_of

THREE = ("alexnet", "resnet18", "googlenet")
SETTINGS = ((THREE, 1.5), ((*THREE, "vgg16"), 1.0))
PARTS = ("comparing", "decoding", "computing")
CLASSES = 20


def main() -> None:
    options = arguments(str(__doc__), rounds=3, seconds=0.0)
    found, parts = [], []
    with tempfile.TemporaryDirectory(prefix="tuner-compare-") as folder:
        generate(Path(folder), 20 if options.quick else 500)
        for names, least in ((("alexnet",), None),) if options.quick else SETTINGS:
            common = {"folder": folder, "names": names}
            sides = [
                Side(name=f"{name}, {part}", make=f"{module}.{part}", settings=common)
                for part in PARTS
                for name, module in (("naive", "reportb"), ("ours", "comparison"))
            ]
            turns = alternate(sides, rounds=options.rounds)
            values = {name: [turn.rate for turn in turns[f"{name}, comparing"]] for name in ("naive", "ours")}
            found.append(Comparison(setting=", ".join(names), unit="images/s", values=values, least=least))
            parts.append((", ".join(names), {side: min(t.ended - t.began for t in taken) for side, taken in turns.items()}))
    console().print(shares(parts))
    conclude("Networks compared, 500x375 JPEGs on disk", found, options)


def alternate(sides: list[Side], *, rounds: int) -> dict[str, list[Turn]]:
    """Each side's turns of one step, A B A B, after one that does not count."""
    turns: dict[str, list[Turn]] = {side.name: [] for side in sides}
    with players_of(sides) as players:
        for number in range(rounds + 1):
            for side, player in zip(sides, players, strict=True):
                # The parts alone explain the whole: once is enough.
                if number <= 1 or side.name.endswith("comparing"):
                    turn = player.play(1)
                    if number:
                        turns[side.name].append(turn)
    return turns


def shares(parts: list[tuple[str, dict[str, float]]]) -> Table:
    table = Table(
        title="Seconds of a comparison, the least of all turns", title_justify="left", box=None, pad_edge=False, header_style="bold"
    )
    for heading in ("models", "side", "whole", "decoding alone", "arithmetic alone"):
        table.add_column(heading, justify="left" if heading in ("models", "side") else "right")
    for setting, seconds in parts:
        for side in ("naive", "ours"):
            whole, decoding, computing = (seconds[f"{side}, {part}"] for part in PARTS)
            table.add_row(
                setting, side, f"{whole:.1f}", f"{decoding:.1f} ({decoding / whole:.0%})", f"{computing:.1f} ({computing / whole:.0%})"
            )
    return table


def generate(folder: Path, count: int) -> None:
    """Smooth shapes of all sizes and a little noise, which JPEG finds as hard as photographs; class folders by WordNet id."""
    random = np.random.default_rng(0)
    names = list(list_wnids())[:: 1000 // CLASSES]
    for name in names:
        (folder / name).mkdir()
    for index in range(count):
        pixels = random.normal(0, 9, (375, 500, 3))
        for cell, weight in ((125, 0.5), (25, 0.25), (5, 0.2)):
            coarse = random.integers(0, 256, (375 // cell, 500 // cell, 3), dtype=np.uint8)
            pixels += weight * np.asarray(Image.fromarray(coarse).resize((500, 375), Image.Resampling.BICUBIC), dtype=np.float64)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / names[index % CLASSES] / f"{index:05d}.JPEG", quality=90)


if __name__ == "__main__":
    main()
