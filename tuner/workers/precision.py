"""The precision in which a study trains: decided once, by the worker that comes first, for all trials and all workers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from ..config.study_config import StudyConfig
from ..data.parts import Parts
from ..errors import TunerError
from ..placement import Placement
from ..study.examples import find_middle
from ..study.study import Study
from ..training import memory
from ..training.precision import Evidence, count_images, has_fast_bf16, measure
from ..training.provenance import name_device

PRECISION = "precision"  # the decision's name in the study
SHARE = 0.02  # measuring may train this share of the images that the search will at least


def settle_precision(study: Study, parts: Parts, placement: Placement, *, stop: Callable[[], bool], say: Callable[[str], None]) -> str:
    """The study's precision: what was decided, else what the placement asks for, else (`auto`) what a measurement shows.

    Errors: TunerError where this worker was asked for another precision, or its device is not made for the study's;
    Stopped, in the measurement.
    """
    asked = placement.precision
    found = study.find_decision(PRECISION)
    if found is None:
        decision, told = _decide(study, parts, placement, stop, say)
        found = study.decide(PRECISION, decision)
        if told and found == decision:
            say(told)
    precision: str = found["precision"]
    if asked not in ("auto", precision):
        raise TunerError(
            f"--precision {asked}: study {study.name!r} trains in {precision}: leave the option out, or search under another name"
        )
    if precision == "bf16" and not has_fast_bf16(placement.device):
        raise TunerError(
            f"study {study.name!r} trains in bf16, and {name_device(placement.device)} has no units for it: "
            "join from a device that has, or search under another name with --precision fp32"
        )
    return precision


def _decide(
    study: Study, parts: Parts, placement: Placement, stop: Callable[[], bool], say: Callable[[str], None]
) -> tuple[dict[str, Any], str]:
    """A decision, and what to tell of it: nothing where there was nothing to choose."""
    used = {facts["config"]["precision"] for facts in study.read_facts(study.frozen_trials(), "config") if "config" in facts}
    if used:  # by version 0.1.0, which decided nothing
        return {"precision": max(used), "reason": "as the first trials were trained"}, ""
    if placement.precision != "auto":
        return {"precision": placement.precision, "reason": "as it was asked for"}, ""
    return choose_precision(study.config, study.leases.counts().n_trials, parts, placement, stop=stop, say=say)


def choose_precision(
    config: StudyConfig, n_trials: int, parts: Parts, placement: Placement, *, stop: Callable[[], bool], say: Callable[[str], None]
) -> tuple[dict[str, Any], str]:
    """The precision for so many trials of a space on a device, with its evidence, and what to tell of it. Errors: Stopped."""
    if not has_fast_bf16(placement.device):
        return {"precision": "fp32", "reason": f"{name_device(placement.device)} has no units for bf16"}, ""
    middle = find_middle(config)
    train = parts.train(middle.augment)
    batch_sizes = _choose_batch_sizes(config, len(train))
    if count_images(batch_sizes) > SHARE * n_trials * min(config.possible("epochs")) * len(train):
        return {"precision": "fp32", "reason": "the search is too short for measuring"}, ""
    say(f"measuring fp32 against bf16: {count_images(batch_sizes):,} images, once for the study")
    try:
        evidence = measure(middle, batch_sizes, train, classes=parts.classes, device=placement.device, capture=placement.capture, stop=stop)
    except RuntimeError as fault:
        if not memory.is_out_of_memory(fault):
            raise
        return {"precision": "fp32", "reason": "there was too little memory to measure bf16"}, ""
    finally:
        memory.give_back(placement.device)
    return _describe(evidence, placement)


def _describe(evidence: Evidence, placement: Placement) -> tuple[dict[str, Any], str]:
    faults = evidence.list_faults()
    precision = "fp32" if faults else "bf16"
    reason = f"{evidence.speedup:.2f} times as fast as fp32, its losses and gradients the same but for rounding"
    if faults:
        reason = f"bf16 was not as good: {'; '.join(faults)}"
    plain: dict[str, Any] = {**asdict(evidence), "speedup": round(evidence.speedup, 3), "device": name_device(placement.device)}
    plain["seconds"] = {str(size): pair for size, pair in evidence.seconds.items()}
    return {"precision": precision, "reason": reason, "evidence": plain}, f"precision {precision}: {reason}"


def _choose_batch_sizes(config: StudyConfig, images: int) -> list[int]:
    """The least, the largest and one between of those that a trial may have."""
    sizes = sorted(int(size) for size in config.possible("batch_size") if size <= images)
    return sorted({sizes[0], sizes[len(sizes) // 2], sizes[-1]})
