"""The frozen values of a task's proof of itself: tiers, the gaps between them, cheats, the starter."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.readings import Record
from harness.records import Outcome, Source, Tier


class ProofTier(Record):
    """One tier over all instances of a proof: mean and standard deviation."""

    tier: Tier
    points_mean: float
    points_sd: float
    objective_mean: float
    objective_sd: float


class ProofGap(Record):
    """The gap between two neighbouring tiers; `inversions` counts instances where `lower` won."""

    lower: Tier
    upper: Tier
    gap_points: float
    pooled_sds: float
    inversions: int


class ProofCheat(Record):
    """A cheat and what it got; proven when `points` is at most `expected_at_most`."""

    id: str
    points: float
    outcome: Outcome
    reason: str = ""
    expected_at_most: float = 0.0


class ProofMutant(Record):
    """The expert less one idea over some instances: points of each, and whether they are where they should be.

    `points` are uncapped and leave constraints aside; `broke` names the constraints that it failed on
    any instance.
    """

    id: str
    without: str
    expected: str
    points: tuple[float, ...]
    broke: tuple[str, ...] = ()
    outcomes: tuple[Outcome, ...]
    in_place: bool


# A budget binds where it allows the expert at most this many times what the expert uses; else it is a guard.
BINDS = 1.3


class ProofSlack(Record):
    """What one constraint allows (`threshold`, on the side `bound`), and what was used of it, in `unit`.

    `use` is each tier's mean over instances; `absurd` the most that a submission used which nobody would call good,
    `absurd_by` says which; None and "" where none was judged by it.
    """

    name: str
    measure: str
    unit: str
    bound: Literal["at_most", "at_least"]
    threshold: float
    reference: str = ""
    use: dict[Tier, float] = Field(default_factory=dict)
    absurd: float | None = None
    absurd_by: str = ""

    @property
    def room(self) -> float | None:
        """How many times what the expert uses is allowed; None where that says nothing (a gain, a zero).

        Where a loss against a reference is allowed, below 0, it is how many times the loss that the expert takes.
        """
        used = self.use.get("expert")
        if used is not None and used < 0 and self.threshold < 0 and self.bound == "at_least":
            return self.threshold / used
        if used is None or used <= 0 or self.threshold <= 0:
            return None
        return self.threshold / used if self.bound == "at_most" else used / self.threshold

    @property
    def binds(self) -> bool:
        """Whether it is a budget that the expert has to mind; otherwise it is a guard against what is absurd."""
        return self.room is not None and self.room <= BINDS


class ProofStarter(Record):
    """How the starter ended, run as it is."""

    outcome: Outcome
    points: float


class MadeOf(Record):
    """What a proof was made of: a later proof of the same parts would say the same, but for noise.

    Digests are sha256, in hex; '' where a part is missing. `task` is of the task's folder but for its notes;
    `references` of its references and mutants; `common` of `tasks/common_*`; `profile` of the settings that the
    profile's file gives; `seed` (12 digits) of the root of its instances' seeds. `sources` holds the digest of
    every data set and model by its role and name, `stack` the version of every package that the task's `stack`
    names, `python` is as "3.11". `program` is the digest of the harness itself, the one part that is not the
    task's own.
    """

    task: str = ""
    references: str = ""
    common: str = ""
    profile: str = ""
    seed: str = ""
    sources: dict[str, str] = Field(default_factory=dict)
    stack: dict[str, str] = Field(default_factory=dict)
    python: str = ""
    program: str = ""

    def changes(self, now: MadeOf) -> tuple[str, ...]:
        """In words, which of the task's own parts are not as they were; empty if all are."""
        digests = {
            "the task's folder": (self.task, now.task),
            "its references": (self.references, now.references),
            "tasks/common_*": (self.common, now.common),
            "the profile": (self.profile, now.profile),
            "the seed": (self.seed, now.seed),
            **{
                name: (self.sources.get(name), now.sources.get(name))
                for name in _names(self.sources, now.sources)
            },
        }
        versions = {
            "Python": (self.python, now.python),
            **{name: (self.stack.get(name), now.stack.get(name)) for name in _names(self.stack, now.stack)},
        }
        words = [name for name, (before, after) in digests.items() if before != after]
        words += [
            f"{name} ({before or 'none'}, now {after or 'none'})"
            for name, (before, after) in versions.items()
            if before != after
        ]
        return tuple(words)


def _names(before: dict[str, str], after: dict[str, str]) -> list[str]:
    return sorted(before.keys() | after.keys())


class Proof(Record):
    """A task's proof of itself on one machine: tiers in order, apart, and no cheat pays.

    `ladder_seconds` is what all tiers together took on each instance, preparation left out; `stage_seconds` what
    the slowest tier took for each stage, on the instance where that was most (empty in older proofs); `minutes`
    what the task states for a candidate; `machine` names in words where it was, `proven_at` when (UTC, ISO 8601);
    `sources` are the data and models that its instances were made from, derived ones of the first only;
    `made_of` names its parts, and is None in a proof that was kept before parts were; `slack` is empty in one that
    was kept before slack was, and where the task has no constraints.
    """

    task: str
    profile: str
    proven: bool
    tiers: tuple[ProofTier, ...]
    separation: tuple[ProofGap, ...]
    cheats: tuple[ProofCheat, ...]
    starter: ProofStarter
    instances: int
    wall_seconds: float
    mutants: tuple[ProofMutant, ...] = ()
    ladder_seconds: tuple[float, ...] = ()
    stage_seconds: dict[str, float] = Field(default_factory=dict)
    minutes: int | None = None
    machine: str = ""
    proven_at: str = ""
    competencies: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    made_of: MadeOf | None = None
    slack: tuple[ProofSlack, ...] = ()

    @property
    def brought(self) -> tuple[Source, ...]:
        """The data sets that were brought along (`--data`), not those of the packages."""
        return tuple(s for s in self.sources if s.role == "data" and s.kind in ("local", "hub"))
