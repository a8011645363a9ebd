"""The frozen values of a calibration: everything that pages, JSON and terminals show is derived from these."""

from __future__ import annotations

from typing import Literal

from harness.readings import Record
from harness.records import Tier
from harness.sheets import Cut

Met = Literal["pass", "fail", "inconclusive"]


class Estimate(Record):
    """A number with its 95 % interval; absent with a reason where the data cannot say.

    `value` may be absent where `low` and `high` are not: the interval is then all that can honestly be said.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    absent_because: str = ""


class Target(Record):
    """A figure of a simulation against what was aimed at; `low` and `high` are its own 95 % error.

    `verdict`: pass where the figure itself meets the target, inconclusive where only its error does.
    """

    name: str
    value: float
    low: float
    high: float
    at_least: float | None = None
    at_most: float | None = None
    verdict: Met


class Recovery(Record):
    """One simulated situation: what was planted, and how well it came back."""

    generator: str
    people: int
    tasks: int
    seeds: int
    authors: int
    sets: int
    figures: tuple[Target, ...]
    rhat: float


class Simulation(Record):
    """All situations of a run of the simulation, and further figures that no single situation shows.

    `fit_seconds`: one fit of 50 people by 12 tasks by 3 seeds.
    """

    situations: tuple[Recovery, ...]
    forecasts: tuple[Target, ...] = ()
    seed: int
    fit_seconds: float
    seconds: float


class TierFigures(Record):
    """One tier over instances and seeds, in points.

    `sd_seed` is the spread between seeds of one instance, `sd_instance` that between instances beyond it;
    None where nothing was repeated. Baseline and expert are 0 and 100 on every instance by definition.
    """

    tier: Tier
    runs: int
    points: float
    sd_seed: float | None
    sd_instance: float | None


class Gap(Record):
    """Two neighbouring tiers: `sds` pooled standard deviations apart, inverted in so many bootstrap draws."""

    lower: Tier
    upper: Tier
    points: float
    sds: Estimate
    inversions: int
    draws: int
    sound: bool


class Budget(Record):
    """A constraint over every person it was judged for: how many met it, in a sentence where nobody or all did."""

    name: str
    judged: int
    met: int
    words: str = ""


class Minutes(Record):
    """How long scoring a hand-in took, over so many people, in minutes of the machine's wall clock."""

    least: float
    median: float
    most: float
    people: int


class Proposal(Record):
    """A limit proposed beside the one that is set; `proposed` is None where `words` says why.

    `middle` is the competent tier's median over its `runs`; of `people` with a reading, `met_now` meet the limit
    that is set and `met_then` the proposed one. Nothing applies it.
    """

    name: str
    unit: str
    bound: Literal["at_most", "at_least"]
    set_to: float
    runs: int
    people: int
    proposed: float | None = None
    middle: float | None = None
    met_now: int = 0
    met_then: int = 0
    words: str = ""


class CurvePoint(Record):
    """The conditional standard error of a suite at one skill: of its points, and of the skill read off them."""

    skill: float
    points: Estimate
    error: Estimate


class TaskFigures(Record):
    """Everything that is known of one task; `provisional`: no person was measured, only the tiers."""

    task: str
    people: int
    tiers: tuple[TierFigures, ...] = ()
    gaps: tuple[Gap, ...] = ()
    difficulty: Estimate
    provisional: bool
    discrimination: Estimate
    item_rest: Estimate
    floor: Estimate
    ceiling: Estimate
    failed: Estimate
    timed_out: Estimate
    budgets: tuple[Budget, ...] = ()
    shares: tuple[tuple[str, Estimate], ...] = ()
    minutes: Minutes | None = None
    proposals: tuple[Proposal, ...] = ()
    flags: tuple[str, ...] = ()


class DStudy(Record):
    """The reliability that so many tasks and seeds would have: relative (E rho squared) and absolute (Phi)."""

    tasks: int
    seeds: int
    relative: Estimate
    absolute: Estimate


class Needed(Record):
    """How many tasks reach a reliability: by the median, and by the cautious end; None: over 60."""

    target: float
    seeds: int
    tasks: int | None
    tasks_cautious: int | None


class PersonStanding(Record):
    """One person: skill with its interval, how likely above the cut, and the band."""

    person: str
    skill: Estimate
    passes: float | None = None
    band: Literal["pass", "review", "not yet", "no cut"] = "no cut"


class Form(Record):
    """A form that the planner picked; `csem` is the standard error of skill, `relative` its reliability.

    `at_cut`: both are at the cut that was set, and tasks were picked for what they say there.
    """

    tasks: tuple[str, ...]
    minutes: int
    csem: Estimate
    relative: Estimate
    at_cut: bool
    words: str = ""


class Calibration(Record):
    """One calibration of a suite. `notes` say what the data could not.

    `sem` is the standard error of measurement in points; `accuracy` and `consistency` are of decisions at the cut;
    `passing` is the share of people whose expected points reach it.
    """

    suite: str
    rows: int
    people: int
    tasks: tuple[TaskFigures, ...]
    alpha: Estimate
    omega: Estimate
    relative: Estimate
    absolute: Estimate
    shares: tuple[tuple[str, Estimate], ...] = ()
    dstudy: tuple[DStudy, ...] = ()
    needed: tuple[Needed, ...] = ()
    cut: Cut | None = None
    standings: tuple[PersonStanding, ...] = ()
    bands: tuple[tuple[str, Estimate], ...] = ()
    flipped: Estimate = Estimate()
    sem: Estimate = Estimate()
    curve: tuple[CurvePoint, ...] = ()
    accuracy: Estimate = Estimate()
    consistency: Estimate = Estimate()
    passing: Estimate = Estimate()
    form: Form | None = None
    rhat: float | None = None
    notes: tuple[str, ...] = ()
