"""What a submission may spend on a stage in all, by what the references of the same round spend on it.

The limit of each call alone would let a submission hold the machine for as many times that limit as there are calls.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.errors import Fault
from harness.records import Role

# Where a budget is spent, a submission still gets so much: it ends with the sentence that says so.
LEAST_SECONDS = 0.01


@dataclass(kw_only=True)
class StageBudget:
    """Seconds that workers had of each stage (their starts and their calls), and what a candidate may have.

    A candidate may spend `factor` times what the slowest reference has spent on the stage so far, and `floor`
    seconds in any case. `known` is what references that do not run again spent on each stage when they did.
    """

    factor: float
    floor: float
    known: Mapping[str, float] = field(default_factory=dict)
    spent: dict[str, dict[str, float]] = field(default_factory=dict)
    workers: dict[str, dict[str, int]] = field(default_factory=dict)
    references: set[str] = field(default_factory=set)

    def share(self, stage: str, name: str, role: Role) -> Share:
        """A submission's part of it, for one more of its workers in this stage; `name` tells it from the others."""
        of_stage = self.workers.setdefault(stage, {})
        of_stage[name] = of_stage.get(name, 0) + 1
        if role == "reference":
            self.references.add(name)
        return Share(self, stage, name, role == "candidate")

    def by_stage(self, name: str) -> dict[str, float]:
        """Seconds of each stage that a submission took part in."""
        return {stage: of[name] for stage, of in self.spent.items() if name in of}

    def most(self, stage: str, name: str) -> float:
        """Seconds that a candidate may spend on a stage; infinite where nothing is known of any reference.

        Where its worker was started before a reference's (every other process pair begins with it), what the
        reference took is counted once more for that.
        """
        workers = self.workers.get(stage, {})
        seconds = [
            s * max(1.0, workers.get(name, 1) / workers[other])
            for other, s in self.spent.get(stage, {}).items()
            if other in self.references
        ]
        if stage in self.known:
            seconds.append(self.known[stage])
        return max(self.floor, self.factor * max(seconds)) if seconds else math.inf


@dataclass(frozen=True)
class Share:
    """One submission's part of a budget in one stage; without a budget, or if it is no candidate's, it has no end."""

    budget: StageBudget | None = None
    stage: str = ""
    name: str = ""
    limited: bool = False

    def spend(self, seconds: float) -> None:
        """Notes seconds of a turn."""
        if self.budget is not None:
            spent = self.budget.spent.setdefault(self.stage, {})
            spent[self.name] = spent.get(self.name, 0.0) + seconds

    def left(self) -> float:
        """Seconds that are left in this stage, LEAST_SECONDS at least."""
        if self.budget is None or not self.limited:
            return math.inf
        spent = self.budget.spent.get(self.stage, {}).get(self.name, 0.0)
        return max(LEAST_SECONDS, self.budget.most(self.stage, self.name) - spent)

    def judged(self, fault: Fault, limit: float) -> Fault:
        """A fault as it is; of a call that the budget ended before its own `limit`, in seconds, what says so."""
        if self.budget is None or fault.outcome != "timeout" or self.left() >= limit:
            return fault
        return Fault(
            "timeout",
            f"the stage {self.stage} took more than {self.budget.most(self.stage, self.name):.3g} s in all: "
            f"{self.budget.factor:g} times what the slowest reference took in this run, or "
            f"{self.budget.floor:g} s where that is more",
        )
