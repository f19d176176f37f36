"""torchvision's pretrained networks, built and loaded by torchvision itself.

Its builders set more than the weights: `googlenet(weights=...)` also sets `transform_input` and drops the auxiliary
heads, so that a network built bare, with the same file loaded into it, scores wrong, and nothing warns of it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

import torch
import torchvision
from filelock import FileLock
from torch import nn
from torchvision.models import get_model, get_model_weights, list_models

from ..errors import TunerError, UsageError
from .bare import WITH_HEADS, check_known
from .weights import read_weights

STALLED = 30.0  # seconds without a byte
HEADS = ("aux1.", "aux2.", "AuxLogits.")  # where auxiliary heads lie
# torchvision's builders read any pickle; with this set a file can hold nothing but weights.
WEIGHTS_ONLY = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"


@dataclass(frozen=True, kw_only=True)
class Pretrained:
    """A network of torchvision's, one of its sets of weights, and the file that holds them."""

    name: str
    weights: Any  # a member of torchvision's WeightsEnum
    file: Path

    def transforms(self) -> Callable[[Any], torch.Tensor]:
        """From a PIL image in RGB to the network's input (3, H, W): what the weights declare."""
        return self.weights.transforms()  # type: ignore[no-any-return]

    def fingerprint(self) -> str:
        """16 hex digits of the file's SHA-256. torchvision ends the names of its files with the first 8 of them."""
        with self.file.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]

    def build(self) -> nn.Module:
        """The network as torchvision's own builder makes it with these weights, in evaluation mode.

        Errors: UsageError for a file that holds something else, TunerError for weights that are not finite.
        """
        kept = os.environ.get(WEIGHTS_ONLY)
        try:
            found = read_weights(self.file)
            os.environ[WEIGHTS_ONLY] = "1"
            with _hub_with(self.file, file_name(self.weights), {**_auxiliary(self.name, found), **found}):
                network: nn.Module = get_model(self.name, weights=self.weights, progress=False)
        except TunerError as error:
            if not isinstance(error, UsageError):
                raise
            raise UsageError(f"{str(self.file)!r} does not hold torchvision's weights of {self.name} ({error.message})") from None
        except Exception as error:  # torch.load alone raises a dozen kinds for what is no file of weights
            lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
            reason = lines[min(1, len(lines) - 1)] if isinstance(error, RuntimeError) else lines[0]
            raise UsageError(f"{str(self.file)!r} does not hold torchvision's weights of {self.name} ({reason[:200]})") from None
        finally:
            if kept is None:
                os.environ.pop(WEIGHTS_ONLY, None)
            else:
                os.environ[WEIGHTS_ONLY] = kept
        return network.eval()


def list_names() -> list[str]:
    """The classification networks of this torchvision."""
    return list(list_models(module=torchvision.models))


def file_name(weights: Any) -> str:
    return Path(weights.url).name


def find(name: str, file: Path | None = None, *, progress: bool = True, option: str | None = None) -> Pretrained:
    """A network by name, with its weights from `file`, from torchvision's folder, or from the network, once.

    The weights are torchvision's best, unless the file has the name of others that it knows for this network. `option` is how a
    user names the file, told where nothing can be downloaded.
    Errors: UsageError for an unknown name or a missing file, TunerError where the weights cannot be had.
    """
    check_known(name)
    kinds = get_model_weights(name)
    if file is None:
        return Pretrained(name=name, weights=kinds.DEFAULT, file=_fetched(name, kinds.DEFAULT, progress, option))
    if not file.is_file():
        raise UsageError(f"--weights {name}={file}: there is no such file")
    return Pretrained(name=name, weights=next((w for w in kinds if file_name(w) == file.name), kinds.DEFAULT), file=file)


def _fetched(name: str, weights: Any, progress: bool, option: str | None) -> Path:
    """The file in torchvision's folder, downloaded into it where it is missing."""
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    file = folder / file_name(weights)
    if file.exists():
        return file
    remedy = f"put {file.name} from {weights.url} there, or give {option or f'--weights {name}=FILE'}"
    stalled = socket.getdefaulttimeout()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{file.name}.lock"):
            if not file.exists():
                # torchvision's own way, but for a line that it writes to stdout.
                socket.setdefaulttimeout(STALLED)
                print(f"downloading {weights.url} into {folder}", file=sys.stderr)
                prefix = file.stem.rpartition("-")[2]
                torch.hub.download_url_to_file(weights.url, str(file), prefix, progress=progress and sys.stderr.isatty())
    except (OSError, RuntimeError, HTTPException) as error:
        reason = " ".join(str(getattr(error, "reason", None) or error).split()) or type(error).__name__
        raise TunerError(
            f"weights {file.name} of {name} are not in {str(folder)!r} and cannot be downloaded ({reason}): {remedy}"
        ) from None
    finally:
        socket.setdefaulttimeout(stalled)
    (folder / f"{file.name}.lock").unlink(missing_ok=True)
    return file


def _auxiliary(name: str, found: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Auxiliary heads for a file without them: torchvision's builders of GoogLeNet and Inception ask for them, then drop them."""
    if name not in WITH_HEADS or any(key.startswith(HEADS) for key in found):
        return {}
    bare = get_model(name, weights=None, aux_logits=True, init_weights=False)
    return {key: value for key, value in bare.state_dict().items() if key.startswith(HEADS)}


@contextmanager
def _hub_with(file: Path, name: str, weights: Mapping[str, torch.Tensor]) -> Iterator[None]:
    """Within it torchvision finds `weights` where it looks for its weights `name`: the file itself where it holds them bare."""
    before = torch.hub._hub_dir  # `get_dir` names a folder even where none is set, and setting that would outlive TORCH_HOME
    content = torch.load(file, map_location="meta", weights_only=True)
    with tempfile.TemporaryDirectory(prefix="tuner-weights-") as folder:
        link = Path(folder) / "checkpoints" / name
        link.parent.mkdir()
        if list(content) != list(weights):
            torch.save(dict(weights), link)
        else:
            try:
                link.symlink_to(file.absolute())
            except OSError:  # Windows gives links to administrators only
                shutil.copyfile(file, link)
        torch.hub.set_dir(folder)
        try:
            yield
        finally:
            torch.hub._hub_dir = before
