"""small-data: draws alphabets of hand-written glyphs for a seed, and scores what was learned under shift."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import DataError, Fault
from harness.instances import (
    Answer,
    ArraySpec,
    BlobSpec,
    Evaluation,
    FromItem,
    Instance,
    Request,
    Stage,
    Workbench,
)
from harness.measures.quality import accuracy, correct
from harness.measures.stats import bootstrap_draws, percentile_interval
from harness.records import Measurement, Series
from harness.tasks import beside

MODEL_BYTES = 2**20  # what `train` may return: six times the expert's network
BULK_PARTS = 3  # requests that an alphabet's test images come in

Ints = NDArray[np.int64]

glyphs = beside(__file__, "glyphs")
Drawn, SIDE, LEVELS = glyphs.Drawn, glyphs.SIDE, glyphs.LEVELS


@dataclass(frozen=True)
class Lesson:
    """One alphabet's share of an instance."""

    train: Drawn
    pool: Drawn
    test: Drawn


def prepare(workbench: Workbench) -> Instance:
    """The instance for the workbench's seed and size; every alphabet in it is new."""
    size = {name: int(value) for name, value in workbench.size.items()}
    lessons = [lesson(size, workbench.rng(f"alphabet-{i}")) for i in range(size["alphabets"])]
    check(lessons, size)
    return Instance(
        stages=(train_stage(lessons, size["classes"]), serve_stage(lessons, size["classes"])),
        hidden={
            "labels": [one.test.labels for one in lessons],
            "levels": [one.test.levels for one in lessons],
        },
        facts={
            "alphabets": size["alphabets"],
            "classes": size["classes"],
            "labels_a_class": size["labelled"],
            "pool": size["pool"],
            "test_images": sum(len(one.test.labels) for one in lessons),
        },
    )


# ---------------------------------------------------------------- drawing


def lesson(size: Mapping[str, int], rng: np.random.Generator) -> Lesson:
    """A new alphabet, its few labelled images, its pool and its test images."""
    classes = size["classes"]
    alphabet = glyphs.invent(classes, rng)
    labelled = np.repeat(np.arange(classes), size["labelled"])
    parts = []
    for labels, levels in (
        (labelled, np.zeros(len(labelled), dtype=np.int64)),
        (evenly(classes, size["pool"]), np.zeros(size["pool"], dtype=np.int64)),
        (unevenly(classes, size["test"], rng), evenly(LEVELS, size["test"])),
    ):
        order = rng.permutation(len(labels))
        parts.append(glyphs.write(alphabet, labels[order], levels[order], rng))
    return Lesson(*parts)


def evenly(kinds: int, n: int) -> Ints:
    """int64[n]: 0 to kinds - 1 in turn."""
    return np.arange(n) % kinds


def unevenly(classes: int, n: int, rng: np.random.Generator) -> Ints:
    """int64[n]: all of the first class, then all of the next, at least LEVELS of each; some up to four times as often.

    Who brings answers to equal shares of all classes gains nothing by it.
    """
    weights = rng.uniform(0.4, 1.6, classes)
    ends = np.round(np.cumsum(weights) / weights.sum() * max(0, n - classes * LEVELS)).astype(np.int64)
    counts = LEVELS + np.diff(ends, prepend=0)
    return np.repeat(np.arange(classes), counts)[:n]


# ---------------------------------------------------------------- requests


def check(lessons: list[Lesson], size: Mapping[str, int]) -> None:
    """The instance's invariants; raises DataError where a size cannot support the task."""
    if size["classes"] < 2 or size["pool"] < size["classes"] or size["test"] < size["classes"] * LEVELS:
        raise DataError(
            f"small-data needs 2 classes, a pool image of each and {LEVELS} test images of each: "
            f"raise classes ({size['classes']}), pool ({size['pool']}) or test ({size['test']})"
        )
    seen: set[bytes] = set()
    for one in lessons:
        counts = np.bincount(one.train.labels, minlength=size["classes"])
        assert (counts == size["labelled"]).all(), "classes with more or fewer labels than were asked for"
        assert not one.train.levels.any()
        assert not one.pool.levels.any()
        table = np.zeros((size["classes"], LEVELS), dtype=np.int64)
        np.add.at(table, (one.test.labels, one.test.levels), 1)
        assert table.min() >= 1, "a class is never tested at some level"
        for part in (one.train, one.pool, one.test):
            assert part.images.dtype == np.float32
            assert part.images.shape[1:] == (SIDE, SIDE)
            assert 0.0 <= part.images.min() <= part.images.max() <= 1.0
            seen.update(image.tobytes() for image in part.images)
    images = sum(len(part.labels) for one in lessons for part in (one.train, one.pool, one.test))
    assert len(seen) == images, "an image appears twice"


def train_stage(lessons: list[Lesson], classes: int) -> Stage:
    """One request an alphabet: few labelled images and the pool in, the trained model's bytes out."""
    requests = []
    for i, one in enumerate(lessons):
        arguments = {
            "images": one.train.images,
            "labels": one.train.labels,
            "pool": one.pool.images,
            "num_classes": classes,
        }
        count = len(one.train.labels) + len(one.pool.labels)
        requests.append(Request(f"model-{i}", "train", arguments, BlobSpec(MODEL_BYTES), count=count))
    return Stage("train", tuple(requests))


def serve_stage(lessons: list[Lesson], classes: int) -> Stage:
    """A fresh worker: each alphabet's model comes back, then its test images in a few requests.

    All of it is one group, so that whatever `train` has put off is timed.
    """
    requests = []
    for i, one in enumerate(lessons):
        requests.append(
            Request(f"loaded-{i}", "load", {"model": FromItem(f"model-{i}")}, None, group="serve")
        )
        for part, rows in enumerate(parts(len(one.test.labels))):
            spec = ArraySpec("int64", (len(rows),), low=0, high=classes - 1)
            images = one.test.images[rows]
            requests.append(
                Request(
                    f"test-{i}-{part}", "predict", {"images": images}, spec, group="serve", count=len(rows)
                )
            )
    return Stage("serve", tuple(requests))


def parts(n: int) -> list[Ints]:
    """The rows of each of an alphabet's test requests."""
    return np.array_split(np.arange(n), BULK_PARTS)


# ---------------------------------------------------------------- evaluation


def evaluate(instance: Instance, answers: Mapping[str, Answer]) -> Evaluation:
    """Accuracy on shifted and on clean test images, the gap between the two, and accuracy by level."""
    predictions, truth, levels = [], [], []
    for i, (labels, level) in enumerate(
        zip(instance.hidden["labels"], instance.hidden["levels"], strict=True)
    ):
        for part in range(BULK_PARTS):
            predictions.append(np.asarray(answers[f"test-{i}-{part}"], dtype=np.int64))
        own = np.concatenate(predictions[-BULK_PARTS:])
        if len(np.unique(own)) == 1:
            raise Fault("wrong", f"every one of {len(own)} predictions of alphabet {i} is class {own[0]}")
        truth.append(labels)
        levels.append(level)
    predicted, actual, strength = np.concatenate(predictions), np.concatenate(truth), np.concatenate(levels)
    hits = correct(predicted, actual)
    by_level = tuple(accuracy(predicted[strength == k], actual[strength == k]) for k in range(LEVELS))
    clean = strength == 0
    shifted = hits[~clean]
    return Evaluation(
        measurements=(
            measured("shifted_accuracy", "higher", float(shifted.mean()), bootstrap_draws(shifted)),
            measured("clean_accuracy", "higher", float(hits[clean].mean()), bootstrap_draws(hits[clean])),
            measured(
                "generalisation_gap",
                "lower",
                float(hits[clean].mean() - shifted.mean()),
                bootstrap_draws(hits[clean]) - bootstrap_draws(shifted),
            ),
        ),
        series=(
            Series(
                name="accuracy under shift",
                x_label="level of shift",
                y_label="accuracy",
                x=tuple(float(k) for k in range(LEVELS)),
                y=by_level,
            ),
        ),
    )


def measured(name: str, direction: Any, value: float, draws: NDArray[Any]) -> Measurement:
    """A share with its interval over bootstrap draws, all of the same images for every submission."""
    low, high = percentile_interval(draws)
    return Measurement(
        name=name,
        unit="",
        direction=direction,
        value=value,
        low=low,
        high=high,
        draws=tuple(np.asarray(draws).tolist()),
    )
