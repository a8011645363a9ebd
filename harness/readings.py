"""Raw readings: the values of a clock, a meter, the kernel or a folder, before anything is derived from it."""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

# Before the group's name: calls of a timed group that give no sample.
ASIDE = "aside_"
# The group of all calls of a task's own judge.
JUDGING = "judging"
# Fewer process pairs certify no time, and show next to nothing of whether a submission slowed what it is compared with.
FEWEST_PAIRS = 5

Grade = Literal["A", "B", "C"]


class Bounds(NamedTuple):
    """The least and the highest of a range."""

    low: float
    high: float


class Record(BaseModel):
    """Frozen, closed to unknown keys, and strict JSON: NaN and infinity are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Sample(Record):
    """One timed request: seconds from input released to last output byte copied, parent's clock.

    `pair` numbers the process pair, from 0, that served it; `position` its place in that pair.
    """

    item: str
    group: str
    seconds: float
    count: int
    position: int
    pair: int = 0


class PhaseTime(Record):
    """One untimed call of a phase, parent's clock.

    Groups of the harness's own: `shim` (worker launched to its first word: interpreter and harness),
    `start` (the submission's import and constructor), `first_<group>` (a worker's first call for warming
    up), `aside_<group>` (a call of a timed group that gives no sample: to warm up, or right after a change
    of context).
    """

    item: str
    group: str
    seconds: float
    pair: int = 0


class MemoryPoint(Record):
    """One reading of the worker's whole process tree; `seconds` since the worker was launched.

    `host_bytes` is what counts, at most since the reading before where the kernel keeps a peak:
    anonymous, shared, the kernel's own and mapped files. Three of them are given, as of the moment
    of the reading, where they could be told apart. `device_bytes`, at most since the reading before,
    is None where there is no device or it could not be read.
    """

    stage: str
    seconds: float
    host_bytes: int
    device_bytes: int | None = None
    anonymous_bytes: int | None = None
    file_bytes: int | None = None
    shared_bytes: int | None = None
    pair: int = 0


class Counters(Record):
    """What the kernel and the driver counted over a span: no worker can write any of it.

    `cpu_seconds`, `wait_seconds` and `preemptions` are the reference workers' own: time on a core,
    time runnable without one, and involuntary switches. Shares are of `seconds`. None: not counted here.
    """

    seconds: float
    cpu_seconds: float | None = None
    wait_seconds: float | None = None
    preemptions: int | None = None
    steal_share: float | None = None
    pressure_cpu_share: float | None = None
    pressure_memory_share: float | None = None
    mhz_low: float | None = None
    mhz_high: float | None = None
    device_reasons: tuple[str, ...] = ()
    device_mhz_low: float | None = None
    device_mhz_high: float | None = None
    device_mhz_default: float | None = None
    device_celsius: float | None = None
    device_strangers: int | None = None


class Condition(Record):
    """The machine's grade during the timed part, from counters that no candidate can forge.

    A is quiet, B usable, C too disturbed: what was timed is then shown as not certified.
    """

    grade: Grade
    words: tuple[str, ...]
    counters: Counters


class Machine(Record):
    """The fingerprint of where it ran. Times of different fingerprints are never compared."""

    id: str
    system: str
    processor: str
    cores: int
    memory_bytes: int
    python: str
    packages: dict[str, str]
    device: str
    threads: int
    load_before: float | None = None


class PairReading(Record):
    """One process pair: all workers of a stage, fresh and alive together. Raw, besides the samples.

    Workers are named by role or tier ("candidate", "baseline", "baseline copy"). `floor` are the
    seconds of empty requests to the baseline; `idle_cpu` the processor seconds each worker used
    while it was stopped or on its way there, `busy_cpu` while it had the turn, which lasted
    `turn_seconds` over so many `turns`; `cores` how many each was given. `alone_by` are the seconds of each
    reference, by worker and item, while no candidate existed; `after` the items that a reference was asked
    right after a candidate's turn; `repeats` the seconds of inputs asked a second time, by worker and item.

    Records of before there were `turns`, `cores`, `alone_by` and `after` have the first reference's seconds
    by item in `alone`.
    """

    stage: str
    pair: int
    started: tuple[str, ...]
    warmups: int = 0
    steady: dict[str, bool] = {}
    floor: tuple[float, ...] = ()
    idle_cpu: dict[str, float] = {}
    busy_cpu: dict[str, float] = {}
    turn_seconds: dict[str, float] = {}
    turns: dict[str, int] = {}
    threads: dict[str, int] = {}
    cores: int | None = None
    held: bool = True
    alone: dict[str, float] = {}
    alone_by: dict[str, dict[str, float]] = {}
    after: dict[str, tuple[str, ...]] = {}
    repeats: dict[str, dict[str, float]] = {}
    counters: Counters | None = None


class Isolation(Record):
    """The isolation level that was used, and what it was seen to hold on that machine in that run.

    `promised` of the `probes` attacks of its self-test were to be refused, and were; `digest` tells which
    of all were refused. `residual` names what the level is known not to stop, `note` why it was taken.
    """

    level: str
    official: bool
    promised: int = 0
    probes: int = 0
    digest: str = ""
    residual: tuple[str, ...] = ()
    note: str = ""


class Contents(Record):
    """What a submission's folder holds, as far as it tells where to look first.

    `literal` is the longest literal of its Python files, a text, bytes or a collection of constants, by its length in
    the source; files that are no Python are left out of it. All empty in records of before this was kept.
    """

    files: int = 0
    total_bytes: int = 0
    largest: str = ""
    largest_bytes: int = 0
    literal: str = ""
    literal_line: int = 0
    literal_bytes: int = 0
