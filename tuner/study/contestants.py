"""Which configurations of a study are trained again, and on which seeds: the plan of its confirmation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..config.trial_config import TrialConfig
from .lease import NewTrial
from .search_space import derive_seed

# A confirmation's attributes, part of the stored format: the id of its study, and the plan.
CONFIRMS = "confirms"
PLAN = "plan"


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """A trial of the study whose configuration is trained again. `start` says that it is the study's first start row."""

    trial: int
    config: TrialConfig
    start: bool = False


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Each contestant on each of the seeds 1 to `seeds`, where a split has `train` images to train on and `validation` held out."""

    contestants: tuple[Contestant, ...]
    seeds: int
    train: int
    validation: int

    @property
    def places(self) -> list[tuple[int, int]]:
        """The trial and the seed of each training, all of one seed before the next."""
        return [(contestant.trial, seed) for seed in range(1, self.seeds + 1) for contestant in self.contestants]

    def merge(self, wanted: Plan) -> Plan:
        """With what another plan wants besides. Who was a contestant stays one, with all seeds."""
        known = {contestant.trial for contestant in self.contestants}
        both = (*self.contestants, *(contestant for contestant in wanted.contestants if contestant.trial not in known))
        start = next((each.trial for each in (*self.contestants, *wanted.contestants) if each.start), None)
        merged = tuple(replace(contestant, start=contestant.trial == start) for contestant in both)
        return replace(self, contestants=merged, seeds=max(self.seeds, wanted.seeds))

    def find_next(self, base: int, begun: Iterable[Mapping[str, Any]]) -> NewTrial | None:
        """The first training that has no row yet; None where all have. `base` is the study's seed, `begun` what the rows were set."""
        done = {(row["trial"], row["seed"]) for row in begun if "trial" in row and "seed" in row}
        place = next((place for place in self.places if place not in done), None)
        if place is None:
            return None
        named = {"trial": place[0], "seed": place[1]}
        return NewTrial(params=named, facts={"set": named, "config": self.configure(base, *place).to_dict()})

    def configure(self, base: int, trial: int, seed: int) -> TrialConfig:
        """The trial's configuration as it was, but for its seed and that of the split, which all contestants share."""
        config = next(contestant.config for contestant in self.contestants if contestant.trial == trial)
        data = replace(config.data, seed=derive_seed(base, "confirmation's split", seed))
        return replace(config, seed=derive_seed(base, "confirmation", seed), data=data)

    def describe(self, base: int, config: TrialConfig) -> str:
        """Which training a configuration is, in words; empty for one that is none of them."""
        found = next((place for place in self.places if self.configure(base, *place).same_but_for(config, "micro_batches")), None)
        return "" if found is None else f"configuration of trial {found[0]} at seed {found[1]}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as they stand with the study."""
        contestants = [{"trial": each.trial, "start": each.start, "config": each.config.to_dict()} for each in self.contestants]
        return {"contestants": contestants, "seeds": self.seeds, "train": self.train, "validation": self.validation}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Plan:
        contestants = tuple(
            Contestant(trial=each["trial"], start=each["start"], config=TrialConfig.from_dict(each["config"], f"trial {each['trial']}"))
            for each in plain["contestants"]
        )
        return cls(contestants=contestants, seeds=plain["seeds"], train=plain["train"], validation=plain["validation"])
