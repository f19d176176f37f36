"""How far the pruner of a study that promotes can be trusted, from the study's own trials."""

from __future__ import annotations

from dataclasses import dataclass

from .agreement import Agreement, measure_agreement
from .audit import AuditResult, read_audit
from .pausing import AUDIT, PausingLeases
from .study import Study


@dataclass(frozen=True, kw_only=True)
class Safety:
    """`measured` is how well ranks at the rungs foretell the end. `left` trials stayed where they paused, and `chance` is that any
    of them would have been the best, or with two objectives on the front. `audit` is None where no trial was trained to the end to
    check the pruner."""

    measured: list[Agreement]
    left: int
    chance: float
    audit: AuditResult | None


def measure_safety(study: Study) -> Safety | None:
    """None for a study whose pruner does not promote."""
    if not isinstance(study.leases, PausingLeases):
        return None
    standing, rule = study.retry(study.leases.read_standing), study.leases.rule
    runs = [facts.get("run", {}) for facts in study.read_facts(study.finished_trials(), "run")]
    chances = [run["chance"] for run in runs if "chance" in run]
    audited, costs = standing.list_taken(AUDIT), None if study.config.cost is None else standing.costs
    return Safety(
        measured=[each for each in measure_agreement(rule, standing.best, standing.final) if each.shrunk is not None],
        left=len(chances),
        chance=min(1.0, sum(chances)),
        audit=read_audit(standing.final, audited, costs) if audited & standing.final.keys() else None,
    )


def describe_safety(study: Study) -> list[str]:
    """How well ranks at the rungs foretell the end, and what may have been lost, in sentences. Nothing for other pruners."""
    found = measure_safety(study)
    if found is None:
        return []
    told = []
    if found.measured:
        figures = ", ".join(f"{each.shrunk:.2f} at epoch {each.epoch} ({each.trials} trials)" for each in found.measured)
        told.append(f"How well the rank early on foretells the rank at the end (Spearman, shrunk; 1 is perfectly): {figures}.")
    if found.left:
        place = "the best" if study.config.cost is None else "on the front"
        told.append(
            f"Of the trials that paused, {found.left} stayed there; the chance that any would have been {place} is about "
            f"{100 * found.chance:.2g} %."
        )
    if found.audit is not None:
        told.append(f"Trained to the end all the same, to check the pruner: {found.audit.sentence}.")
    return told
