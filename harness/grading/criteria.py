"""What a task is judged by: one objective under constraints, as task.toml declares them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, model_validator

from harness.measures import names
from harness.records import TIERS, Direction, Scale, Tier


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
    """

    name: str
    measure: str
    compare: Literal["absolute", "ratio", "difference", "own_ratio"] = "absolute"
    reference: Tier | None = None
    of: str = ""
    at_most: float | None = None
    at_least: float | None = None
    margin: float | None = None

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
    """Bounds beyond which a measurement is not believed: the outcome becomes implausible."""

    measure: str
    low: float | None = None
    high: float | None = None
    because: str


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

    def needed(self) -> set[Tier]:
        """The tiers that a score needs: two anchors, and what lies between to say which tier is reached."""
        return set(TIERS)
