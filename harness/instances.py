"""What a task's author works with: the workbench that `prepare` is given, and the instance that it makes of it.

Instances hold arrays and never leave the parent. What crosses the wall is one request's `arguments`,
never its `Instance`. The workbench and the data that it gives are described here by Protocols, so that
a task depends on nothing but what it may use of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from harness.records import Measurement, Series

Array = NDArray[Any]
Answer = Array | bytes


class LabelledTexts(Protocol):
    """One part of a data set for classification."""

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts, as they are in the data."""
        ...

    @property
    def labels(self) -> NDArray[np.int64]:
        """int64[n], one for each text: its place in the data set's `label_names`."""
        ...

    @property
    def noisy_labels(self) -> NDArray[np.int64] | None:
        """int64[n], labels that somebody gave in earnest and partly wrong; None where the data has none."""
        ...


class TextClassification(Protocol):
    """Texts with one label each."""

    @property
    def train(self) -> LabelledTexts:
        """The training part."""
        ...

    @property
    def test(self) -> LabelledTexts:
        """The test part; some of its texts may be in the training part too."""
        ...

    @property
    def label_names(self) -> tuple[str, ...]:
        """What each label is called."""
        ...


class MarkedTexts(Protocol):
    """One part of a data set whose labels do not exclude each other."""

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts, as they are in the data."""
        ...

    @property
    def marks(self) -> NDArray[np.bool_]:
        """bool[n, labels], true where the text has the label."""
        ...


class MultiLabel(Protocol):
    """Texts with any number of labels each."""

    @property
    def train(self) -> MarkedTexts:
        """The training part."""
        ...

    @property
    def test(self) -> MarkedTexts:
        """The test part; some of its texts may be in the training part too."""
        ...

    @property
    def label_names(self) -> tuple[str, ...]:
        """What each column of `marks` is called."""
        ...


class Retrieval(Protocol):
    """Passages, and queries with the passages that answer them."""

    @property
    def passages(self) -> tuple[str, ...]:
        """The passages; a passage's number is its place here."""
        ...

    @property
    def queries(self) -> tuple[str, ...]:
        """The queries of the test part."""
        ...

    @property
    def relevant(self) -> tuple[Mapping[int, float], ...]:
        """For each query the passages that answer it, by number, with their grades (above 0)."""
        ...

    @property
    def train_queries(self) -> tuple[str, ...]:
        """The queries of the training part; none where the data has no such part."""
        ...

    @property
    def train_relevant(self) -> tuple[Mapping[int, float], ...]:
        """As `relevant`, for the training queries."""
        ...


class Tabular(Protocol):
    """A table of numbers with a class for each row."""

    @property
    def x(self) -> NDArray[np.float64]:
        """float64[rows, features]."""
        ...

    @property
    def y(self) -> NDArray[np.int64]:
        """int64[rows], the place of each row's class in `label_names`."""
        ...

    @property
    def feature_names(self) -> tuple[str, ...]:
        """What each column of `x` is called."""
        ...

    @property
    def label_names(self) -> tuple[str, ...]:
        """What each class is called."""
        ...


class Workbench(Protocol):
    """What `prepare` is given. The same seed, size and data must always make the same instance.

    Data and models are read at the first call. What cannot be read raises DataError or ModelError with
    one sentence for the user.
    """

    @property
    def seed(self) -> int:
        """The instance's seed. Draw from `rng` instead, which keeps one stream from moving another."""
        ...

    @property
    def size(self) -> Mapping[str, int | float | str]:
        """The size table of the profile, from task.toml."""
        ...

    @property
    def device(self) -> str:
        """Where workers compute: `cpu` or `cuda`."""
        ...

    @property
    def pairs(self) -> int:
        """How many process pairs share a paired stage's requests at first."""
        ...

    @property
    def max_pairs(self) -> int:
        """How many there may be when the first leave a verdict open; at least `pairs`."""
        ...

    def reserve(self, base: int) -> int:
        """How many further requests the pairs beyond the first need, for a group of `base` requests."""
        ...

    def rng(self, name: str) -> np.random.Generator:
        """A stream of random numbers of this instance; streams of other names are independent of it."""
        ...

    def text_classification(self) -> TextClassification:
        """The run's data set: texts with one label each."""
        ...

    def multi_label(self) -> MultiLabel | None:
        """The run's data set: texts with any number of labels each. None where it has no such labels."""
        ...

    def retrieval(self) -> Retrieval:
        """The run's data set: passages and queries."""
        ...

    def tabular(self, name: str) -> Tabular:
        """One of scikit-learn's bundled tables: breast_cancer, digits, iris or wine."""
        ...

    def model(self, name: str = "encoder") -> Path:
        """The folder of the run's model (transformers format), which the record lists as `name`."""
        ...

    def derive(self, name: str, recipe: Path, arguments: Mapping[str, Any]) -> Path:
        """The folder that `recipe` writes: run once in a worker of its own, then cached by content.

        The recipe is a file like a solution, whose phase `make(**arguments)` writes into
        `context.scratch / "out"`; the encoder is in `context.models`. When answers are only scored
        again, nothing is made, and the folder may be missing.
        """
        ...


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

    This allows a dialogue: the parent holds a function, and reveals its values only where the submission asks.
    `key` tells this argument from others in the instance's identity; `compute` gets the answers by
    item, must depend on nothing else, and may raise a Fault.
    """

    key: str
    compute: Callable[[Mapping[str, Answer]], Array | Sequence[str] | str | bytes | int | float] = field(
        repr=False, compare=False
    )


Argument = Array | Sequence[str] | str | bytes | int | float | FromItem | FromAnswers


@dataclass(frozen=True, kw_only=True)
class Request:
    """One call of one phase.

    `item` names the request and its answer, and is unique within the instance. `group` is the name
    under which its time is summarised: timed requests give `<group>_p50`, `_p95`, `_p99`, `_mean` (seconds),
    the others `<group>_seconds`. `timed` requests are interleaved between the submissions of a run,
    one by one; `warmup` requests come before them and are neither summarised nor scored.
    `count` is how many examples the request holds (for throughput). `scored` is false for a request whose
    answer only has to be valid: never of one whose time counts. `again` is the item of the base whose question
    a request of the reserve asks once more, of another pair's worker: the answer is held against that one's.
    `least_seconds` is what no machine of this kind could go below for a right answer, from counted operations
    and bytes.

    The first four may be given by position: they read like a call. All others need their names.
    """

    item: str = field(kw_only=False)
    phase: str = field(kw_only=False)
    arguments: Mapping[str, Argument] = field(kw_only=False)
    returns: ReturnSpec = field(default=None, kw_only=False)
    group: str = ""
    timed: bool = False
    warmup: bool = False
    count: int = 1
    scored: bool = True
    again: str = ""
    least_seconds: float = 0.0

    @property
    def label(self) -> str:
        """The name under which this request's time is summarised."""
        return self.group or self.phase


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A fresh worker and the requests it serves, in order.

    A `paired` stage is served by several fresh process pairs, because a time differs more from
    process to process than from call to call: each pair answers `each` first (loading what an
    earlier stage returned), then its share of `requests`, every group split evenly. Together the
    pairs answer every request once. `reserve` is for further pairs, when the first leave a verdict
    open: requests of the same distribution and groups, never used otherwise; or, where the data have too few
    with a known answer, the same ones `again` (`harness.tasks.asked_again`).

    With `judge`, the worker serves a program of the task's own, `tasks/<id>/<judge>/solution.py`, in
    place of the submission: what a submission handed over is put to use where it can hide nothing.
    """

    name: str = field(kw_only=False)
    requests: tuple[Request, ...] = field(kw_only=False)
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
    """The result of `evaluate` or `conclude`: measurements, and named series for the report's plots."""

    measurements: tuple[Measurement, ...]
    series: tuple[Series, ...] = ()


@dataclass(frozen=True)
class ItemAnswers:
    """What a submission answered item by item, to compare submissions: the same items in the same order for all.

    `given` is int64[n], `wrong` bool[n].
    """

    given: NDArray[np.int64]
    wrong: NDArray[np.bool_]
