"""The frozen values of a task's proof of itself: tiers, the gaps between them, cheats, the starter."""

from __future__ import annotations

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
    """The expert less one idea over some instances: points of each, and whether it came out where it should.

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


class ProofStarter(Record):
    """How the starter ended, run as it is."""

    outcome: Outcome
    points: float


class Proof(Record):
    """A task's proof of itself on one machine: tiers in order, apart, and no cheat pays.

    `ladder_seconds` is what all tiers together took on each instance, preparation left out; `minutes`
    what the task states for a candidate; `machine` names in words where it was, `proven_at` when (UTC, ISO 8601);
    `sources` are the data and models that the first instance was made from.
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
    minutes: int | None = None
    machine: str = ""
    proven_at: str = ""
    competencies: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()

    @property
    def brought(self) -> tuple[Source, ...]:
        """The data sets that were brought along (`--data`), not those of the packages."""
        return tuple(s for s in self.sources if s.role == "data" and s.kind in ("local", "hub"))
