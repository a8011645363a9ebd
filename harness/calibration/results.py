"""The frozen values of a calibration: everything that pages, JSON and terminals show is derived from these."""

from __future__ import annotations

from typing import Literal

from harness.assessments import Cut
from harness.readings import Record
from harness.records import Tier

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
    verdict: Met = "pass"


class Recovery(Record):
    """One simulated situation: what was planted, and how well it came back."""

    generator: str
    people: int
    tasks: int
    seeds: int
    authors: int
    sets: int
    figures: tuple[Target, ...]
    rhat: float = 0.0


class Simulation(Record):
    """All situations of a run of the simulation, and further figures that no single situation shows.

    `fit_seconds`: one fit of 50 people by 12 tasks by 3 seeds.
    """

    situations: tuple[Recovery, ...]
    forecasts: tuple[Target, ...] = ()
    seed: int
    fit_seconds: float = 0.0
    seconds: float = 0.0


class TierFigures(Record):
    """One tier over instances and seeds, in points; the objective beside them in its own unit.

    `sd_seed` is the spread between seeds of one instance, `sd_instance` that between instances beyond it;
    None where nothing was repeated. Baseline and expert are 0 and 100 on every instance by definition.
    """

    tier: Tier
    runs: int
    points: float
    sd_seed: float | None
    sd_instance: float | None
    objective: float | None
    objective_sd: float | None


class Gap(Record):
    """Two neighbouring tiers: `sds` pooled standard deviations apart, inverted in so many bootstrap draws."""

    lower: Tier
    upper: Tier
    points: float
    sds: Estimate
    inversions: int
    draws: int
    sound: bool


class Share(Record):
    """A source of variance: its component in points squared, and its share of the whole."""

    source: str
    component: float
    share: Estimate
    note: str = ""


class Budget(Record):
    """A constraint over everybody who was judged: how many met it, and what the references suggest.

    `suggested` leaves the reference that needs most a margin; None where it was not measured.
    """

    name: str
    unit: str
    bound: Literal["at_most", "at_least"]
    threshold: float
    judged: int
    met: int
    worst_reference: float | None = None
    suggested: float | None = None
    words: str = ""


class Limit(Record):
    """A phase's limit in seconds beside the slowest reference, and the limit that leaves it a margin."""

    phase: str
    limit: float | None
    slowest: float
    suggested: float


class TaskFigures(Record):
    """Everything that is known of one task."""

    task: str
    title: str = ""
    people: int
    runs: int
    minutes: int = 0
    mean: Estimate
    tiers: tuple[TierFigures, ...] = ()
    gaps: tuple[Gap, ...] = ()
    difficulty: Estimate
    provisional: bool = False
    discrimination: Estimate
    item_rest: Estimate
    alpha_without: float | None = None
    outfit: Estimate = Estimate()
    floor: Estimate
    ceiling: Estimate
    failed: Estimate
    timed_out: Estimate
    instance_shift: float | None = None
    minutes_used: Estimate = Estimate()
    shares: tuple[Share, ...] = ()
    budgets: tuple[Budget, ...] = ()
    limits: tuple[Limit, ...] = ()
    flags: tuple[str, ...] = ()
    planted: float | None = None


class DStudy(Record):
    """The reliability that so many tasks and seeds would have: relative (E rho squared) and absolute (Phi)."""

    tasks: int
    seeds: int
    relative: Estimate
    absolute: Estimate


class Needed(Record):
    """How many tasks reach a reliability, with so many seeds: by the middle and by the cautious end; None: over 60."""

    target: float
    seeds: int
    tasks: int | None
    tasks_cautious: int | None


class Standing(Record):
    """One person: skill with interval, points of the suite, how likely above the cut, and the band."""

    person: str
    skill: Estimate
    points: Estimate
    rank: Estimate
    passes: float | None = None
    band: Literal["pass", "review", "not yet", "no cut"] = "no cut"
    planted: float | None = None


class CutFound(Record):
    """A cut that some method found, in points of the suite."""

    cut: Cut
    standard_error: float | None = None
    judges: int = 0
    used: bool = False
    words: str = ""


class Form(Record):
    """A form that the planner picked: its tasks, minutes, and what it would be able to say."""

    tasks: tuple[str, ...]
    minutes: int
    covered: tuple[str, ...]
    missing: tuple[str, ...] = ()
    csem: Estimate
    relative: Estimate
    right: Estimate
    review: Estimate
    words: str = ""


class Curve(Record):
    """The standard error of skill over skill, with its interval; x, y, low and high have one length."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


class SuiteFigures(Record):
    """Everything that is known of the suite as a whole."""

    people: int
    complete: int
    alpha: Estimate
    omega: Estimate
    relative: Estimate
    absolute: Estimate
    sem: Estimate
    components: tuple[Share, ...] = ()
    dstudy: tuple[DStudy, ...] = ()
    needed: tuple[Needed, ...] = ()
    csem: Curve | None = None
    cut: Cut | None = None
    cut_skill: Estimate = Estimate()
    cuts: tuple[CutFound, ...] = ()
    bands: tuple[tuple[str, Estimate], ...] = ()
    right: Estimate = Estimate()
    right_decided: Estimate = Estimate()
    consistent: Estimate = Estimate()
    flipped: Estimate = Estimate()
    eigen_ratio: float | None = None
    dependent: tuple[str, ...] = ()
    coverage: tuple[tuple[str, tuple[str, ...]], ...] = ()
    minutes: int = 0
    form: Form | None = None
    rhat: float | None = None


class Calibration(Record):
    """One calibration of a suite. `notes` say what the data could not."""

    suite: str
    title: str = ""
    made_at: str = ""
    harness_version: str = ""
    machine: str = ""
    rows: int
    data_digest: str = ""
    instances: int = 0
    repeats: int = 0
    assessments: int = 0
    tasks: tuple[TaskFigures, ...]
    whole: SuiteFigures
    people: tuple[Standing, ...] = ()
    notes: tuple[str, ...] = ()
    simulated: str = ""
