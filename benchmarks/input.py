"""The input alone, images a second: batches that are made and thrown away.

The naive side reads PIL images one by one, as torchvision's CIFAR10 gives them, through ToTensor and Normalize; ours
gathers a batch from resident bytes. One thread against one thread, and the DataLoader with two workers beside them.
"""

from __future__ import annotations

from .measure import arguments, compare, conclude
from .sides import Side

LEAST = {("none", 64): 60.0}


def main() -> None:
    options = arguments(str(__doc__), rounds=7, seconds=2)
    images = 64 if options.quick else 10_000
    found = []
    for augment in ("none", "flip-crop"):
        for batch in (8,) if options.quick else (8, 64, 256):
            common = {"batch": batch, "images": images, "threads": 1, "augment": augment}
            one = Side(name="naive", make="naive.feeding", settings=common | {"workers": 0})
            ours = Side(name="ours", make="ours.feeding", settings=common)
            found.append(compare(f"augment {augment}, batch {batch}", [one, ours], options, least=LEAST.get((augment, batch))))
    if not options.quick:
        common = {"batch": 64, "images": images, "threads": 1, "augment": "none"}
        two = Side(name="naive, 2 workers", make="naive.feeding", settings=common | {"workers": 2})
        found.append(compare("none, batch 64, wall", [two, Side(name="ours, 1 process", make="ours.feeding", settings=common)], options))
    conclude("Input, 32x32 images in memory", found, options)


if __name__ == "__main__":
    main()
