"""A CUDA device that computes nothing, for tests of the GPU path on machines without a GPU.

`nullcuda.c`, preloaded, takes the place of cudart, cuBLAS and cuDNN for a stock CUDA 13 build of PyTorch. All of PyTorch's
own host code runs: allocator, streams, graphs, autograd's threads, device and dtype checks. Memory and copies are real,
kernels are counted and not run, captures forbid what CUDA forbids. `include/crt/host_defines.h` is a header that the
runtime's package leaves out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PROBE = "import torch; torch.ones(2, device='cuda').add_(1).cpu(); assert torch.cuda.get_device_name(0) == 'Null CUDA device'"
# A process on the null device does not survive the destructors of static objects, so it ends at once.
PRELUDE = """
import gc, json, os
import torch
from tests.nullcuda import counters
from tests.nullcuda.runs import *
torch.cuda.init()
def tell(found):
    print(json.dumps(found), flush=True)
    os._exit(0)
"""


class Unusable(Exception):
    """The null device cannot be had here; the text is the reason."""


@dataclass(frozen=True, kw_only=True)
class NullDevice:
    """The library, and how processes are started on it."""

    library: Path

    def env(self, **more: str) -> dict[str, str]:
        """What a process needs to run on it."""
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
        return {**os.environ, "LD_PRELOAD": str(self.library), "PYTHONPATH": path, "TUNER_SELF_CHECK": "0", **more}

    def python(self, code: str, **env: str) -> Any:
        """Run code that ends with `tell(...)`, and return what it told."""
        command = [sys.executable, "-W", "ignore", "-c", PRELUDE + textwrap.dedent(code)]
        done = subprocess.run(command, env=self.env(**env), capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(done.stdout.splitlines()[-1])


def build(folder: Path) -> NullDevice:
    """Compile the library into a folder and try it. Errors: Unusable."""
    import torch

    include = Path(torch.__file__).parent.parent / "nvidia" / "cu13" / "include"
    if not include.is_dir():
        raise Unusable("no null device: PyTorch is not a build for CUDA 13")
    library = folder / "libcuda.so.1"
    flags = ["-shared", "-fPIC", "-O1", "-w", f"-I{HERE / 'include'}", f"-I{include}", "-Wl,-soname,libcuda.so.1"]
    try:
        command = ["cc", *flags, "-o", str(library), str(HERE / "nullcuda.c"), "-lpthread", "-ldl"]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise Unusable("no null device: there is no C compiler (cc)") from None
    if made.returncode:
        raise Unusable(f"no null device: it does not compile ({made.stderr.strip().splitlines()[0][:200]})")
    device = NullDevice(library=library)
    probe = subprocess.run([sys.executable, "-c", PROBE], env=device.env(), capture_output=True, text=True, check=False)
    if probe.returncode:
        said = probe.stderr.strip().splitlines() or [f"exit code {probe.returncode}"]
        raise Unusable(f"no null device: this PyTorch {torch.__version__} does not run on it ({said[-1][:200]})")
    return device
