"""The frozen values that are stored, shown and compared, to and from JSON.

History of the schema (`SCHEMA_VERSION`):
    1   first.
    2   process pairs: `pair` in samples, phase times and memory; Trial.pairs and Trial.role "copy";
        memory split into anonymous, file and shared; Score.timing, the certificate and the grade.
    3   RunHead.taken_up: a run that was cut short goes on. RunHead.isolation: the level, what its
        self-test found, and what it is known not to stop.
    4   RunHead.assessment and RunHead.candidate: a run that is a cell of an assessment's table.
        Score.points_each: the points of each instance. The outcome "not_attempted".
    5   whose doing it is: Probe.culprit, ConstraintResult.open_by and .void. PairReading.turns, .cores,
        .alone_by (of every reference) in place of .alone (of the first), and .after. What each stage took.
    6   what is too good is open until somebody has looked: the culprit "evaluator", RunHead.contents. Judged.guard.
        The outcome "rejected": shown, never kept (looks.py).
    7   Score.points_room and .points_repeat: what of an interval is not the submission's own, what is of its pairs.
    8   no points where the references do not stand apart: the culprit "data", RunHead.other_instances.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from harness import readings
from harness.ladders import LadderOn
from harness.readings import (
    Condition,
    Contents,
    Isolation,
    Machine,
    MemoryPoint,
    PairReading,
    PhaseTime,
    Record,
    Sample,
)

SCHEMA_VERSION = 8

Outcome = Literal[
    "ok",
    "wrong",
    "malformed",
    "timeout",
    "out_of_memory",
    "crashed",
    "protocol_error",
    "implausible",
    "budget_exceeded",
    "inconclusive",
    "sandbox_failed",
    "harness_error",
    "not_attempted",
    "rejected",
]
Verdict = Literal["pass", "fail", "inconclusive"]
# Whose doing something is, if anybody's: the evaluator's until they have looked, the data's where no ladder stands.
Culprit = Literal["", "candidate", "machine", "evaluator", "data"]
Direction = Literal["higher", "lower", "neither"]
Scale = Literal["identity", "log", "logit"]
Stamp = Literal["practice", "self-check", "official"]
Role = Literal["candidate", "reference", "copy"]
Tier = Literal["baseline", "competent", "expert"]
# What a score reaches: the highest tier whose value it has, if any.
Reached = Literal["below baseline", "baseline", "competent", "expert", "none"]
Split = Literal["smoke", "practice", "final"]

# Points are shown and counted within these; beyond them they are kept uncapped.
SHOWN = readings.Bounds(-25.0, 125.0)
TIERS: tuple[Tier, ...] = ("baseline", "competent", "expert")
OURS: tuple[Outcome, ...] = ("sandbox_failed", "harness_error")


class Measurement(Record):
    """One measured value, with its interval and who measured it.

    `value` is None when it was not measured, and then `absent_because` says why. `low` and `high`
    bound the value at 95 %; both equal `value` where the reading is exact. `samples` are the raw
    readings from which value and interval were derived, in `unit`. `draws` are bootstrap values made
    with the same resampled items for every submission on an instance, so that they pair up.
    """

    name: str
    unit: str
    direction: Direction
    value: float | None
    low: float | None = None
    high: float | None = None
    samples: tuple[float, ...] = ()
    draws: tuple[float, ...] = ()
    measured_by: str = "parent"
    absent_because: str = ""


class Series(Record):
    """Points of one curve (learning curve, recall at k), for plots. x and y have the same length."""

    name: str
    x_label: str
    y_label: str
    x: tuple[float, ...]
    y: tuple[float, ...]


class Trial(Record):
    """One submission on one instance: how it ended, what was read. Raw; `stage_seconds` are its workers' turns."""

    number: int
    role: Role
    label: str
    tier: Tier | None
    submission_digest: str
    instance_id: str
    outcome: Outcome
    reason: str = ""
    detail: str = ""
    phases: tuple[PhaseTime, ...] = ()
    samples: tuple[Sample, ...] = ()
    pairs: tuple[PairReading, ...] = ()
    timed: bool = True
    memory: tuple[MemoryPoint, ...] = ()
    peak_host_bytes: int | None = None
    peak_device_bytes: int | None = None
    base_host_bytes: int | None = None
    base_file_bytes: int | None = None
    memory_measured_by: str = ""
    blob_bytes: dict[str, int] = Field(default_factory=dict)
    answers: dict[str, str] = Field(default_factory=dict)
    stage_seconds: dict[str, float] = Field(default_factory=dict)
    log_head: str = ""
    log_tail: str = ""
    log_bytes: int = 0
    worker_says: dict[str, str] = Field(default_factory=dict)


def in_order(trials: Iterable[Trial]) -> list[Trial]:
    """Trials as every record and report lists them: by instance, the candidate first, tiers upwards."""
    roles: tuple[Role, ...] = ("candidate", "reference", "copy")
    tiers: tuple[Tier | None, ...] = (None, *TIERS)
    return sorted(trials, key=lambda t: (t.number, roles.index(t.role), tiers.index(t.tier), t.label))


class Assessed(Record):
    """What was derived from one trial: quality from its answers, cost from its raw samples.

    `reused_from` is the run whose quality was taken over, for a reference that did not run again.
    `stage_seconds` are as of its trial.
    """

    number: int
    role: Role
    label: str
    tier: Tier | None
    outcome: Outcome
    reason: str = ""
    measurements: tuple[Measurement, ...] = ()
    series: tuple[Series, ...] = ()
    reused_from: str = ""
    stage_seconds: dict[str, float] = Field(default_factory=dict)

    def get(self, name: str) -> Measurement | None:
        """The measurement called `name`, or None."""
        return next((m for m in self.measurements if m.name == name), None)


class Judged(Record):
    """A constraint's verdict. `value`, `low`, `high` are what was judged against `threshold`.

    `words` says it as a sentence; `value` is a ratio or difference where there is a `reference`. `open_by`: whose
    doing it is that it is open; `void`: the run's times are, whose error `low` and `high` hold; `guard`: never binds.
    """

    name: str
    unit: str
    verdict: Verdict
    value: float | None
    low: float | None
    high: float | None
    threshold: float
    bound: Literal["at_most", "at_least"]
    reference: str = ""
    words: str = ""
    tolerance: float = 0.0
    open_by: Culprit = ""
    void: bool = False
    guard: bool = False

    @property
    def beyond(self) -> bool:
        """Whether it was measured beyond its limit; where times are void, whether it may have been."""
        at_most = self.bound == "at_most"
        worst = (self.high if at_most else self.low) if self.void else self.value
        return worst is not None and (worst > self.threshold if at_most else worst < self.threshold)


class ConstraintResult(Judged):
    """A constraint's verdict in a run; `pairs` is how many process pairs it rests on, if on any."""

    measure: str
    pairs: int = 0


def withheld(outcome: Outcome, constraints: Iterable[Judged]) -> bool:
    """Whether no points are given: a verdict is open on what was measured beyond its limit, or there is no scale."""
    open_ = [c for c in constraints if c.verdict == "inconclusive"] if outcome == "inconclusive" else []
    return any(c.beyond or c.open_by == "data" for c in open_)


def open_by(outcome: Outcome, constraints: Iterable[Judged]) -> Culprit:
    """Whose doing it is of an inconclusive outcome: the data's first, the candidate's next, the evaluator's last."""
    if outcome != "inconclusive":
        return ""
    by = {c.open_by for c in constraints if c.verdict == "inconclusive"}
    if "data" in by:
        return "data"
    return "evaluator" if by == {"evaluator"} else "candidate" if "candidate" in by else "machine"


class Certificate(Record):
    """The A/A certificate: the baseline timed against its own copy, in the same pairs as the candidate.

    `value` is the ratio of `measure` between two copies of one program with its interval: what this
    run's clock calls equal. `spread` is the standard deviation of the pairs' log ratios, `margin` the
    tolerance for verdicts: max(3 %, twice the standard error). It holds when the interval meets 1 +- margin.
    """

    measure: str
    value: float
    low: float
    high: float
    spread: float
    margin: float
    pairs: int
    holds: bool
    words: str


class Probe(Record):
    """One audit probe after the scored part: what was looked for, what was seen, what follows from it.

    `verdict`: "clear", "note" (shown), "void" (times are not certified), "implausible". `culprit`: whose doing it is.
    """

    name: str
    verdict: Literal["clear", "note", "void", "implausible"]
    value: float | None
    low: float | None = None
    high: float | None = None
    words: str = ""
    culprit: Culprit = ""


class Timing(Record):
    """How far the run's times can be trusted: pairs, floor, certificate, grade and probes.

    `floor_seconds` is the median empty request, already taken off every ratio. `certified` is
    false where the certificate does not hold, the grade is C, a probe voids the times, or fewer than
    the least number of pairs were run; `words` says which.
    """

    pairs: int
    floor_seconds: float | None
    certified: bool
    certificate: Certificate | None
    condition: Condition | None
    probes: tuple[Probe, ...] = ()
    words: tuple[str, ...] = ()


class Score(Record):
    """A submission's score: points between the baseline (0) and the expert (100) of this machine.

    `points` is what counts: clipped to -25..125, and 0 when a constraint or the submission failed, or while a
    verdict is open on what was measured beyond its limit (`withheld`). `points_uncapped`: before that; may be None.
    `points_each` are the uncapped points of each instance, in their order; empty when an instance has none.
    `points_room` is how far noise that is not the submission's own may lift them, `points_repeat` their half-width by
    process pairs alone, which is what differs from run to run; None where nothing tells it.
    """

    outcome: Outcome
    points: float
    points_uncapped: float | None
    points_low: float | None = None
    points_high: float | None = None
    points_each: tuple[float, ...] = ()
    points_room: float | None = None
    points_repeat: float | None = None
    tier: Reached
    objective: Measurement
    constraints: tuple[ConstraintResult, ...]
    measurements: tuple[Measurement, ...]
    reasons: tuple[str, ...]
    timing: Timing | None = None

    @property
    def withheld(self) -> bool:
        """Whether "open" is shown in the place of points."""
        return withheld(self.outcome, self.constraints)

    @property
    def open_by(self) -> Culprit:
        """Whose doing it is that the outcome is inconclusive."""
        return open_by(self.outcome, self.constraints)


class Rung(Record):
    """One reference's place on the ladder of this run: its objective, and points by definition."""

    tier: Tier
    objective: float | None
    points: float | None
    reused_from: str = ""
    outcome: Outcome = "ok"


class Source(Record):
    """A data set or model that was used. `public`: answers could be looked up; `parts`: what was read, in words."""

    role: str
    kind: Literal["builtin", "local", "hub", "derived", "made"]
    name: str
    digest: str
    size_bytes: int
    license: str = "unknown"
    revision: str = ""
    public: bool = False
    parts: tuple[str, ...] = ()


class ProfileUsed(Record):
    """The settings of a run, as they were used."""

    name: str
    size: str
    device: str
    isolation: str
    executor: str
    threads: int
    trials: int
    max_trials: int
    split: Split
    pairs: int = 1
    max_pairs: int = 1


class RunHead(Record):
    """What a run was, before anything was measured.

    `taken_up` says when it went on after it had been cut short, by a crash or on purpose. `assessment` is
    the id of the assessment that it is a part of, `candidate` the alias there; both empty for a run by itself.
    `worker_key`, 32 hex digits, is what the seeds of candidates' workers and the order of turns were drawn from; empty
    in a run of a time when that was the root of the instances' seeds. `other_instances`: how far the references stood
    apart on others of the same data, where no kept proof is of these.
    """

    schema_version: int = SCHEMA_VERSION
    harness_version: str
    run_id: str
    started_at: str
    task: str
    task_title: str
    task_version: str
    task_digest: str
    submission: str
    submission_digest: str
    profile: ProfileUsed
    machine: Machine
    sources: tuple[Source, ...] = ()
    stamp: Stamp
    seed: int | None = None
    seed_id: str = ""
    worker_key: str = ""
    isolation: Isolation | None = None
    facts: dict[str, int | float | str] = Field(default_factory=dict)
    taken_up: tuple[str, ...] = ()
    assessment: str = ""
    candidate: str = ""
    contents: Contents | None = None
    other_instances: tuple[LadderOn, ...] = ()


class Run(Record):
    """One invocation and its record: raw trials, what was derived from them, and the score."""

    head: RunHead
    trials: tuple[Trial, ...]
    assessed: tuple[Assessed, ...] = ()
    score: Score | None = None
    ladder: tuple[Rung, ...] = ()
    wall_seconds: float = 0.0


def as_sentence(text: str) -> str:
    """`text` as a sentence: starting with a capital if it starts with a word, and ending with a full stop."""
    text = text.strip()
    if text.partition(" ")[0].isalpha():
        text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."
