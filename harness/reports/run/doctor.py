"""What `harness doctor --json` prints: each finding, and how steadily the machine keeps time."""

from __future__ import annotations

from typing import Literal

from pydantic import AliasPath, ConfigDict, Field

from harness.readings import Counters, Grade, Record


class _Read(Record):
    model_config = ConfigDict(from_attributes=True)


class FindingSummary(_Read):
    """One thing looked at: its state, and in words what was seen and what to do."""

    name: str
    state: Literal["ok", "note", "bad"]
    words: str


class BusySummary(_Read):
    """A program that is not the harness's, and the share of one core that it used."""

    pid: int
    name: str
    share: float


class SteadinessSummary(_Read):
    """How steadily two copies of one program keep time here, and the machine's grade meanwhile.

    `ratio` is the copies' ratio over all pairs (1 is right), `ratios` that of each pair, `spread` the standard
    deviation of their logarithms, `seconds` the median of one request.
    """

    ratio: float
    ratios: tuple[float, ...]
    spread: float
    seconds: float
    requests: int
    throttled: int | None
    busy: tuple[BusySummary, ...]
    grade: Grade = Field(validation_alias=AliasPath("condition", "grade"))
    words: tuple[str, ...] = Field(validation_alias=AliasPath("condition", "words"))
    counters: Counters = Field(validation_alias=AliasPath("condition", "counters"))


class DoctorSummary(_Read):
    """All that was looked at; `steadiness` is None where it was not measured."""

    ready: bool
    findings: tuple[FindingSummary, ...]
    steadiness: SteadinessSummary | None
