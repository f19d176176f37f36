"""What a second worker brings: images a second in total, wall clock.

One process with one thread, one process with as many threads as there are count_cores, and one process a core with one
thread each, in turns.
"""

from __future__ import annotations

from tuner.placement import count_cores

from .measure import arguments, compare, conclude
from .sides import Side


def main() -> None:
    options = arguments(str(__doc__), rounds=7, seconds=4)
    count = count_cores()
    found = []
    for width, batch in ((0.0625, 4),) if options.quick else ((0.25, 8), (0.25, 64), (1.0, 8), (1.0, 64)):
        common = {"model": "mynet", "width": width, "batch": batch, "images": 64 if options.quick else 10_000}
        sides = [
            Side(name="1 process x 1 thread", make="ours.training", settings=common | {"threads": 1}),
            Side(name=f"1 process x {count} threads", make="ours.training", settings=common | {"threads": count}),
            Side(name=f"{count} processes x 1 thread", make="ours.training", settings=common | {"threads": 1}, processes=count),
        ]
        found.append(compare(f"width x{width:g}, batch {batch}", sides, options))
    conclude("Workers, training MyNet", found, options)


if __name__ == "__main__":
    main()
