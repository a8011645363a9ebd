"""What a task hands to the runner for one seed: the requests, what each must return, the hidden answers.

These values hold arrays and never leave the parent. What crosses the wall is one request's
`arguments`, never its `Instance`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from harness.records import Measurement, Series

Array = NDArray[Any]


Answer = Array | bytes


@dataclass(frozen=True)
class ArraySpec:
    """The one array a phase must return: fixed by the parent before the request is sent.

    `low` and `high` are inclusive bounds on every value. Floating values must be finite.
    `unique_rows` asks that no value appears twice within a row (last axis).
    """

    dtype: str
    shape: tuple[int, ...]
    low: float | None = None
    high: float | None = None
    unique_rows: bool = False

    @property
    def nbytes(self) -> int:
        """The exact number of bytes of the answer."""
        return int(np.dtype(self.dtype).itemsize * int(np.prod(self.shape, dtype=np.int64)))


@dataclass(frozen=True)
class BlobSpec:
    """An opaque run of bytes, at most `max_bytes`; the parent counts it, keeps it, never parses it."""

    max_bytes: int


ReturnSpec = ArraySpec | BlobSpec | None


@dataclass(frozen=True)
class FromItem:
    """An argument that is the answer of an earlier request of the same submission."""

    item: str


@dataclass(frozen=True)
class FromAnswers:
    """An argument that the parent computes, when it asks, from what this submission has answered so far.

    This makes ask and tell: the parent holds a function, and reveals it only where it was asked.
    `key` tells this argument from others in the instance's identity; `compute` gets the answers by
    item, must depend on nothing else, and may raise a Fault.
    """

    key: str
    compute: Callable[[Mapping[str, Answer]], Array | Sequence[str] | str | bytes | int | float] = field(
        repr=False, compare=False
    )


Argument = Array | Sequence[str] | str | bytes | int | float | FromItem | FromAnswers


@dataclass(frozen=True)
class Request:
    """One call of one phase.

    `item` names the request and its answer, and is unique within the instance. `group` is the name
    under which its time is summarised: timed requests give `<group>_p50`, `_p95`, `_p99` (seconds),
    the others `<group>_seconds`. `timed` requests are interleaved between the submissions of a run,
    one by one; `warmup` requests come before them and are neither summarised nor scored.
    `count` is how many examples the request holds (for throughput). `scored` is false for a request
    whose answer only has to be valid (a reserve for which no truth exists). `least_seconds` is what
    no machine of this kind could go below for a right answer, from counted operations and bytes.
    """

    item: str
    phase: str
    arguments: Mapping[str, Argument]
    returns: ReturnSpec = None
    group: str = ""
    timed: bool = False
    warmup: bool = False
    count: int = 1
    scored: bool = True
    least_seconds: float = 0.0

    @property
    def label(self) -> str:
        """The name under which this request's time is summarised."""
        return self.group or self.phase


@dataclass(frozen=True)
class Stage:
    """A fresh worker and the requests it serves, in order.

    A `paired` stage is served by several fresh process pairs, because a time differs more from
    process to process than from call to call: each pair answers `each` first (loading what an
    earlier stage returned), then its share of `requests`, every group split evenly. Together the
    pairs answer every request once. `reserve` is for further pairs, when the first leave a verdict
    open: requests of the same distribution and groups, never used otherwise.

    With `judge`, the worker serves a program of the task's own, `tasks/<id>/<judge>/solution.py`, in
    place of the submission: what a submission handed over is put to use where it can hide nothing.
    """

    name: str
    requests: tuple[Request, ...]
    each: tuple[Request, ...] = ()
    reserve: tuple[Request, ...] = ()
    paired: bool = False
    judge: str = ""

    def all_requests(self) -> tuple[Request, ...]:
        """Whatever the stage may ask."""
        return (*self.each, *self.requests, *self.reserve)


@dataclass(frozen=True)
class Instance:
    """A task's data for one seed.

    `models` are folders that the worker may read, by name. `hidden` holds whatever `evaluate`
    needs and no worker may see. `facts` are figures for the record (sizes, noise rate), shown in
    reports: nothing in them may give an answer away.
    """

    stages: tuple[Stage, ...]
    hidden: Mapping[str, Any]
    models: Mapping[str, Path] = field(default_factory=dict)
    facts: Mapping[str, int | float | str] = field(default_factory=dict)

    def requests(self) -> tuple[Request, ...]:
        """All requests, stage after stage, the reserve included."""
        return tuple(request for stage in self.stages for request in stage.all_requests())


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` or `conclude` found: measurements, and named series for the report's plots."""

    measurements: tuple[Measurement, ...]
    series: tuple[Series, ...] = ()
