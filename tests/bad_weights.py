"""Files of weights that are none: saved states, mutated byte by byte. `tests/bad_input.py` tries them."""

from __future__ import annotations

import io
import pickle
import random
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import torch

from tuner.config.facts import pack_facts
from tuner.config.trial_config import TrialConfig
from tuner.models import MODELS


@cache
def list_seeds() -> tuple[bytes, ...]:
    """A network of ours in torch's two formats, bare and with what it carries, and a pickle of another kind."""
    spec = MODELS["mynet"]
    torch.manual_seed(0)
    state = spec.build(spec.channels(0.0625), 3).state_dict()
    files = [pickle.dumps({"a": 1}, protocol=2)]
    config = TrialConfig(width=0.0625)
    facts = pack_facts(config, fingerprint="0123456789abcdef", classes=("a", "b", "c"), origin={"trial": 3}, provenance={"epochs": 2})
    for content in (state, {"state_dict": state, "tuner": facts}):
        for as_zip in (True, False):
            buffer = io.BytesIO()
            torch.save(content, buffer, _use_new_zipfile_serialization=as_zip)
            files.append(buffer.getvalue())
    return tuple(files)


def list_corpus() -> Iterator[bytes]:
    yield from list_seeds()
    yield from (b"", b"PK\x03\x04", b"\x80\x02.", b"\x80\x02c__builtin__\neval\n(V1\ntR.", b"\x00" * 1000, bytes(range(256)), b"format: 1")
    for content in ([], None, 3, {1: 2}, {"state_dict": {"state_dict": 3}}, {"": torch.zeros(1)}, {"module.": torch.zeros(1)}):
        buffer = io.BytesIO()
        torch.save(content, buffer)
        yield buffer.getvalue()


def mutate(draw: random.Random) -> bytes:
    """A seed with one to five other bytes, most in its pickle; some are cut off."""
    seed = draw.choice(list_seeds())
    if zipfile.is_zipfile(io.BytesIO(seed)) and draw.randrange(3):
        return _repack(draw, seed)
    content = _change(draw, seed, len(seed) if draw.randrange(3) == 0 else min(len(seed), 3000))
    return content if draw.randrange(5) else content[: draw.randrange(len(content) + 1)]


def _repack(draw: random.Random, seed: bytes) -> bytes:
    """Another pickle in an archive whose checksums are right."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(seed)) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, _change(draw, content, len(content)) if name.endswith("data.pkl") else content)
    return buffer.getvalue()


def _change(draw: random.Random, content: bytes, among: int) -> bytes:
    changed = bytearray(content)
    for _ in range(draw.randint(1, 5)):
        changed[draw.randrange(among)] = draw.randrange(256)
    return bytes(changed)


def read(path: Path) -> None:
    """All that a file of weights passes through before it classifies images."""
    from tuner.config.facts import find_facts
    from tuner.models.weights import load_network

    loaded = load_network(path)
    find_facts(loaded.carried, path, None, print)
    network = loaded.network
    assert all(value.device.type == "cpu" for value in network.state_dict().values())
