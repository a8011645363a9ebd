"""What a task is judged by: one objective under constraints, as task.toml declares them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from harness.measures import names
from harness.records import TIERS, Direction, Scale, Tier

# What the budgets allow that a task implies, in times what the reference takes, which counts as this many seconds
# at least. Importing what a task's stack leaves out takes seconds, so a start has as much room as 5 of them.
IMPLIED_STARTS, IMPLIED_CALLS, IMPLIED_LEAST = 5.0, 20.0, 2.0
# A profile's `limit_factor` leaves them alone: it stretches what kills, and these go by what the reference takes on the
# same machine, where 2 s are small change.
# What a submission may import beyond what the reference does, before its start counts as the work that follows.
START_SECONDS = 2.0
# Points over the expert's from which a result is looked at by a person before it counts, in every task. Kept proofs
# and references by other hands are all far below: what stands so high found a way that the task did not foresee.
OVER_EXPERT = 40.0
# The name under which such a result is listed beside the task's constraints.
LOOK = "a result to look at"
# The name under which it is listed that the references do not stand apart on what was measured.
LADDER = "references that stand apart"
# What such a budget is on, and so what to do less of, where it fails or is open.
IMPLIED_OF = {
    "start": "imports and __init__, in the stage where they take longest",
    "beside": "calls that only warm up, beyond the median of the timed ones, and timed calls far above it",
}
IMPLIED_NAMES = {
    "start": "start-up time",
    "ready": "time to be ready",
    "beside": "time of warm-up and rare calls",
}


class Criterion(BaseModel):
    """Frozen and closed to unknown keys, so that a misspelt key in task.toml is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Objective(Criterion):
    """The one measure that gives points.

    With `ratio_of`, the objective is the geometric mean over those measures of the `reference`
    tier's value by the submission's own (a speed-up). `scale` is the f of the points' formula.
    """

    measure: str
    title: str = ""
    unit: str = ""
    direction: Direction = "higher"
    scale: Scale = "identity"
    ratio_of: tuple[str, ...] = ()
    reference: Tier | None = None

    @model_validator(mode="after")
    def _complete(self) -> Objective:
        if bool(self.ratio_of) != (self.reference is not None):
            raise ValueError("ratio_of and reference go together")
        return self


class Constraint(Criterion):
    """A floor or a budget: a gate with three answers.

    compare     "absolute"    the value itself
                "ratio"       the value by the `reference` tier's, measured in the same run
                "difference"  the value less the `reference` tier's, on the same instance
                "own_ratio"   the value by another measurement of the same submission, `of`
    margin      relative half-width of a single reading, for verdicts on measures that are read
                once in a trial; the verdict is inconclusive where it straddles the threshold
    interval    of a difference: judged by the 95 % interval over resampled items, the same for both sides,
                and open where it straddles the threshold; without it the items are the yardstick themselves
    least       what the `reference` tier's value counts as at least, in the measure's unit: a ratio
                to a few milliseconds would judge nothing that anybody could notice
    """

    name: str
    measure: str
    compare: Literal["absolute", "ratio", "difference", "own_ratio"] = "absolute"
    reference: Tier | None = None
    of: str = ""
    at_most: float | None = None
    at_least: float | None = None
    margin: float | None = None
    interval: bool = False
    least: float = Field(default=0.0, ge=0)

    @model_validator(mode="after")
    def _complete(self) -> Constraint:
        if (self.at_most is None) == (self.at_least is None):
            raise ValueError(f"constraint {self.name!r} needs exactly one of at_most and at_least")
        if (self.compare in ("ratio", "difference")) != (self.reference is not None):
            raise ValueError(
                f"constraint {self.name!r}: reference goes with ratio and difference, and only there"
            )
        if (self.compare == "own_ratio") != bool(self.of):
            raise ValueError(f"constraint {self.name!r}: of goes with own_ratio, and only there")
        if self.interval and self.compare != "difference":
            raise ValueError(f"constraint {self.name!r}: interval goes with difference, and only there")
        if self.least and self.compare != "ratio":
            raise ValueError(f"constraint {self.name!r}: least goes with ratio, and only there")
        return self

    @property
    def bound(self) -> Literal["at_most", "at_least"]:
        """Which side of the threshold is allowed."""
        return "at_most" if self.at_most is not None else "at_least"

    @property
    def threshold(self) -> float:
        """The value that must not be passed."""
        return self.at_most if self.at_most is not None else self.at_least or 0.0


class Plausible(Criterion):
    """Bounds beyond which a result does not count before somebody has looked at it: it is open until then.

    A bound that the expert of an instance passes as well says nothing there. With `impossible`, nothing at all
    can pass it, and what seems to is not believed: the outcome is implausible, with 0 points.

    With `over_references`, `high` is how far the value may lie above the largest of any reference on the same
    instance (and above 0), and its interval must lie beyond that wholly. `tells` are measures whose values the words
    give as well.
    """

    measure: str
    low: float | None = None
    high: float | None = None
    because: str
    impossible: bool = False
    over_references: bool = False
    tells: tuple[str, ...] = ()


class Criteria(Criterion):
    """Everything that grading needs to know of a task."""

    objective: Objective
    constraints: tuple[Constraint, ...] = ()
    plausible: tuple[Plausible, ...] = ()

    def timed_against(self) -> set[Tier]:
        """The tiers whose cost must be measured in the same run as the candidate's."""
        tiers = {c.reference for c in self.constraints if c.compare == "ratio" and c.reference}
        if self.objective.reference:
            # The anchors' own objective is a ratio of times too: all of it in one run.
            tiers |= {self.objective.reference, "baseline", "expert"}
        return tiers

    def is_timed(self) -> bool:
        """Whether a clock decides anything of a score: then it is measured with the machine to itself."""
        measures = [self.objective.measure, *(c.measure for c in self.constraints)]
        measures += [p.measure for p in self.plausible]
        return bool(self.timed_against()) or any(names.is_time(m) for m in measures)

    def timed_measure(self) -> str:
        """The timed measure that stands for all in the A/A certificate: a median where there is one."""
        measures = [*self.objective.ratio_of, *(c.measure for c in self.constraints if c.compare == "ratio")]
        timed = [m for m in measures if names.split(m).kind in names.TIMED]
        return next((m for m in timed if m.endswith("_p50")), timed[0] if timed else "")

    def anchor(self) -> Tier | None:
        """The tier that `timed_measure` is compared with."""
        if self.objective.reference:
            return self.objective.reference
        measure = self.timed_measure()
        return next(
            (c.reference for c in self.constraints if c.compare == "ratio" and c.measure == measure), None
        )

    def clock(self) -> Tier | None:
        """The tier that times are judged against; None where no time of this task is judged."""
        timed = (c.reference for c in self.constraints if c.compare == "ratio" and names.is_time(c.measure))
        return self.objective.reference or next(timed, None)

    def implied(self, groups: Iterable[str]) -> tuple[Constraint, ...]:
        """Budgets for the time that no constraint of the task names, where the task judges time at all.

        `groups` are the groups of untimed calls that were read. Without these, work could be put where no
        clock is looked at: in the import, a constructor, a call for warming up, a phase that has no budget.
        They are wide: nobody who only loads and warms up meets them.
        """
        clock = self.clock()
        judged = {c.measure for c in self.constraints}
        wanted = {group: f"{group}_seconds" for group in groups if f"{group}_seconds" not in judged}
        if clock is None:
            return ()
        return tuple(
            Constraint(
                name=IMPLIED_NAMES.get(group, f"time of {group.replace('_', ' ')}"),
                measure=measure,
                compare="ratio",
                reference=clock,
                at_most=IMPLIED_STARTS if group == "start" else IMPLIED_CALLS,
                least=IMPLIED_LEAST,
            )
            for group, measure in wanted.items()
        )

    def needed(self) -> set[Tier]:
        """The tiers that a score needs: two anchors, and what lies between to say which tier is reached."""
        return set(TIERS)
