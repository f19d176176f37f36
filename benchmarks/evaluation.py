"""Evaluation, images a second, one thread: the loop of report A against `Run.evaluate`.

The naive loop evaluates with its training batch size, once with `torch.no_grad()` and once without: the report does
not say which it had. Ours evaluates as a trial does after each epoch, the folding of its weights included.
"""

from __future__ import annotations

from .measure import arguments, compare, conclude
from .sides import Side

LEAST = 3.2
# (width, images, the naive side's batch sizes)
SETTINGS = ((0.25, 1000, (8, 64)), (1.0, 256, (8, 64)))
QUICK = ((0.0625, 16, (8,)),)


def main() -> None:
    options = arguments(str(__doc__), rounds=7, seconds=4)
    found = []
    for width, images, batches in QUICK if options.quick else SETTINGS:
        for batch in batches:
            for grad in (False, True):
                common = {"model": "mynet", "width": width, "images": images, "threads": 1}
                naive = Side(name="naive", make="naive.evaluating", settings=common | {"batch": batch, "workers": 0, "grad": grad})
                ours = Side(name="ours", make="ours.evaluating", settings=common)
                setting = f"width x{width:g}, naive batch {batch}{', with gradients' if grad else ', no_grad'}"
                found.append(compare(setting, [naive, ours], options, least=LEAST if width == 0.25 else None))
    conclude("Evaluation of MyNet, 32x32 images in memory", found, options)


if __name__ == "__main__":
    main()
