"""How far the pruner of a study that promotes can be trusted, in sentences, from the study's own trials."""

from __future__ import annotations

from .agreement import measure_agreement
from .audit import read_audit
from .pausing import AUDIT, PausingLeases
from .study import Study


def describe_safety(study: Study) -> list[str]:
    """How well ranks at the rungs foretell the end, and what may have been lost. Nothing for other pruners."""
    if not isinstance(study.leases, PausingLeases):
        return []
    standing, rule = study.retry(study.leases.read_standing), study.leases.rule
    told = []
    measured = [each for each in measure_agreement(rule, standing.best, standing.final) if each.shrunk is not None]
    if measured:
        figures = ", ".join(f"{each.shrunk:.2f} at epoch {each.epoch} ({each.trials} trials)" for each in measured)
        told.append(f"How well the rank early on foretells the rank at the end (Spearman, shrunk; 1 is perfectly): {figures}.")
    runs = [facts.get("run", {}) for facts in study.read_facts(study.finished_trials(), "run")]
    chances = [run["chance"] for run in runs if "chance" in run]
    if chances:
        told.append(
            f"{len(chances)} trials were left where they paused; the chance that any of them would have been the best is about "
            f"{100 * min(1.0, sum(chances)):.2g} %."
        )
    audited = standing.list_taken(AUDIT)
    if audited & standing.final.keys():
        told.append(f"Trained to the end all the same, to check the pruner: {read_audit(standing.final, audited).sentence}.")
    return told
