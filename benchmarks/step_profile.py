"""Where the time of our training step goes, by kind of operation: PyTorch's profiler, one thread, width x0.25, batch 64.

`--rounds` is the number of steps profiled, after as many that warm up.
"""

from __future__ import annotations

from collections import Counter

from rich.table import Table
from torch.profiler import ProfilerActivity, profile

from .measure import arguments, console, machine_line, write_json
from .ours import training

KINDS = {
    "convolution, backward": ("aten::convolution_backward",),
    "convolution, forward": ("aten::mkldnn_convolution",),
    "pooling": ("aten::max_pool2d_with_indices", "aten::max_pool2d_with_indices_backward", "aten::mean"),
    "BatchNorm": ("aten::native_batch_norm", "aten::native_batch_norm_backward"),
    "ReLU": ("aten::clamp_min_", "aten::threshold_backward"),
    "copies, joins, zeros, sums": ("aten::copy_", "aten::cat", "aten::fill_", "aten::add_"),
}
REST = "all else"


def main() -> None:
    options = arguments(str(__doc__), rounds=20, seconds=0)
    width, batch = (0.0625, 4) if options.quick else (0.25, 64)
    turn = training(model="mynet", width=width, batch=batch, images=16 * batch, threads=1)
    turn(options.rounds)
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        turn(options.rounds)
    kind_of = {name: kind for kind, names in KINDS.items() for name in names}
    spent: Counter[str] = Counter()
    for event in profiled.key_averages():
        spent[kind_of.get(event.key, REST)] += event.self_cpu_time_total / 1000 / options.rounds
    whole = sum(spent.values())
    title = f"A training step of MyNet, width x{width:g}, batch {batch}, one thread: {whole:.1f} ms under the profiler"
    drawn = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold", min_width=len(title))
    for heading in ("operations", "ms a step", "%"):
        drawn.add_column(heading, justify="left" if heading == "operations" else "right")
    for kind, milliseconds in spent.most_common():
        drawn.add_row(kind, f"{milliseconds:.1f}", f"{100 * milliseconds / whole:.1f}")
    out = console()
    out.print(drawn)
    if options.quick:
        out.print("--quick: these figures mean nothing")
    out.print(machine_line())
    write_json(options.json, {"quick": options.quick, "milliseconds": dict(spent)})


if __name__ == "__main__":
    main()
