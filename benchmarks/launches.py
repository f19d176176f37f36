"""Kernels that a training step launches, and its peak memory, counted on the null device: no GPU is needed, no time is measured.

`python -m benchmarks.launches` from the project's root. It needs a C compiler and a PyTorch built for CUDA 13.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from rich.table import Table

from tests.nullcuda import build

from .measure import arguments, console, machine_line, write_json

COUNT = """
        run = make_run(precision="{precision}", width=1.0, batch_size={batch}, images={images}, augment="none")
        run.network.train()
        batch = run.train.gather(torch.arange({batch}, device="cuda:0"), None)
        run.step(*batch)
        counters.reset()
        torch.cuda.reset_peak_memory_stats()
        run.step(*batch)
        tell([counters.get("launches"), torch.cuda.max_memory_allocated()])"""


def main() -> None:
    options = arguments(str(__doc__), rounds=1, seconds=0)
    shown = Table(title="A step of MyNet at full width", title_justify="left", box=None, pad_edge=False, header_style="bold")
    for heading in ("batch", "precision", "launches", "peak memory, MB"):
        shown.add_column(heading, justify="left" if heading == "precision" else "right")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        device = build(Path(folder))
        for batch in (8,) if options.quick else (8, 32, 512):
            for precision in ("fp32", "bf16"):
                launches, peak = device.python(COUNT.format(precision=precision, batch=batch, images=2 * batch))
                rows.append({"batch": batch, "precision": precision, "launches": launches, "peak_memory_mb": round(peak / 1e6)})
                shown.add_row(str(batch), precision, str(launches), f"{peak / 1e6:,.0f}")
    out = console()
    out.print(shown)
    out.print(machine_line())
    write_json(options.json, {"rows": rows})


if __name__ == "__main__":
    main()
