"""A checkpoint with a right checksum may still hold anything: it is refused, and the run is as it was."""

from __future__ import annotations

import copy
import io
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.runs import CONFIG, make
from tuner.training.checkpoint import CheckpointError, load, save
from tuner.training.run import Run

Change = Callable[[dict[str, Any]], Any]


def first(state: dict[str, Any]) -> str:
    return next(name for name, tensor in state["weights"].items() if tensor.ndim == 4)


def put(state: dict[str, Any], tensor: Callable[[torch.Tensor], Any]) -> dict[str, Any]:
    """The state with another first weight."""
    state["weights"][first(state)] = tensor(state["weights"][first(state)])
    return state


def figure(state: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    state["curve"][0][name] = value
    return state


CHANGES: dict[str, Change] = {
    "a list": lambda state: [state],
    "a tensor": lambda state: torch.zeros(3),
    "nothing": lambda state: {},
    "no curve": lambda state: {name: value for name, value in state.items() if name != "curve"},
    "more": lambda state: state | {"more": 1},
    "a curve that is no list": lambda state: state | {"curve": 3},
    "a curve of more epochs": lambda state: state | {"curve": state["curve"] * 50},
    "an epoch that is none": lambda state: state | {"curve": [None]},
    "another epoch": lambda state: figure(state, "epoch", 2),
    "a loss in words": lambda state: figure(state, "train_loss", "low"),
    "a loss that is none": lambda state: figure(state, "train_loss", None),
    "an endless loss": lambda state: figure(state, "val_loss", float("inf")),
    "a figure more": lambda state: figure(state, "more", 1),
    "no weights": lambda state: state | {"weights": {}},
    "weights in a list": lambda state: state | {"weights": list(state["weights"].values())},
    "weights by number": lambda state: state | {"weights": dict(enumerate(state["weights"].values()))},
    "a weight that is a number": lambda state: put(state, lambda tensor: 1.0),
    "a weight of no dimension": lambda state: put(state, lambda tensor: torch.tensor(1.0)),
    "a weight of another shape": lambda state: put(state, lambda tensor: tensor[:1]),
    "a weight of double precision": lambda state: put(state, torch.Tensor.double),
    "a weight of whole numbers": lambda state: put(state, torch.Tensor.long),
    "a complex weight": lambda state: put(state, lambda tensor: tensor.to(torch.complex64)),
    "a sparse weight": lambda state: put(state, torch.Tensor.to_sparse),
    "a weight without content": lambda state: put(state, lambda tensor: tensor.to("meta")),
    "a weight less": lambda state: (state["weights"].pop(first(state)), state)[1],
    "no optimiser": lambda state: state | {"optimizer": None},
    "another optimiser": lambda state: state | {"optimizer": {"exp_avg": {}}},
    "an optimiser in words": lambda state: state | {"optimizer": dict.fromkeys(state["optimizer"], "x")},
    "moments of nothing": lambda state: state | {"optimizer": {kind: {} for kind in state["optimizer"]}},
}


@pytest.fixture(scope="module")
def trained() -> Run:
    run = make(CONFIG)
    next(run.epochs())
    return run


def write(path: Path, content: bytes, **commit: Any) -> None:
    """A checkpoint of these bytes, with a right size and checksum."""
    crc32 = zlib.crc32(content)
    weights = path.with_name(f"{path.name}.e1.{crc32:08x}.pt")
    weights.write_bytes(content)
    facts = {"study": "s", "epoch": 1, "weights": weights.name, "size": len(content), "crc32": crc32, "config": CONFIG.to_dict()}
    path.with_name(f"{path.name}.json").write_text(json.dumps(facts | commit))


def refuse(path: Path, trained: Run) -> str:
    """What is said of the checkpoint at `path`; nothing of it may have come into the run."""
    before = copy.deepcopy(trained.state())
    with pytest.raises(CheckpointError) as caught:
        load(path, trained, uid="s")
    after = trained.state()
    assert after["curve"] == before["curve"]
    for kind in ("weights", *before["optimizer"]):
        old, new = (state["weights"] if kind == "weights" else state["optimizer"][kind] for state in (before, after))
        assert all(torch.equal(old[name], new[name]) for name in old)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400
    return str(caught.value)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_state_that_is_none_is_refused_and_changes_nothing(change: Change, trained: Run, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.save(change(copy.deepcopy(trained.state())), buffer)
    write(tmp_path / "trial-1", buffer.getvalue())
    assert "does not fit" in refuse(tmp_path / "trial-1", trained)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x04K\x01.", b"\x80\x02c__builtin__\neval\n(V1\ntR.", b"x" * 1000])
def test_bytes_that_are_no_state_are_refused(content: bytes, trained: Run, tmp_path: Path) -> None:
    write(tmp_path / "trial-1", content)
    assert "does not fit" in refuse(tmp_path / "trial-1", trained)


@pytest.mark.parametrize(
    "commit",
    [
        {"weights": "../../etc/passwd"},
        {"weights": "trial-2.e1.00000000.pt"},
        {"weights": 3},
        {"weights": None},
        {"size": "many"},
        {"crc32": None},
        {"config": []},
        {"config": 3},
        {"config": {"epochs": 10**400}},
        {"study": ["s"]},
    ],
)
def test_a_commit_that_is_none_is_refused(commit: dict[str, Any], trained: Run, tmp_path: Path) -> None:
    write(tmp_path / "trial-1", b"x", **commit)
    refuse(tmp_path / "trial-1", trained)


@pytest.mark.parametrize("text", ["", "[]", "3", "null", "{", "[" * 5000, '"x"', '{"study": "s"}', "\x00"])
def test_a_file_that_is_no_commit_is_refused(text: str, trained: Run, tmp_path: Path) -> None:
    (tmp_path / "trial-1.json").write_text(text)
    refuse(tmp_path / "trial-1", trained)


def test_a_state_that_is_one_is_loaded(trained: Run, tmp_path: Path) -> None:
    save(tmp_path / "trial-1", trained, uid="s")
    again = make(CONFIG)
    assert load(tmp_path / "trial-1", again, uid="s") and again.curve == trained.curve
