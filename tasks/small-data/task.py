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

SIDE = 16  # pixels: images are SIDE by SIDE
LEVELS = 4  # of shift: 0 is none, so the test images of level 0 are like the training images
ROTATION, OFFSET, BLUR = 11.0, 0.8, 0.35  # degrees, pixels and pixels (of a Gaussian) a level
NOISE = 0.06  # standard deviation of what is added to every pixel, where 1 is full ink
MODEL_BYTES = 2**20  # what `train` may return: six times the expert's network
BULK_PARTS = 3  # requests that an alphabet's test images come in
STROKES = 3  # of a glyph
POINTS = 16  # at which each stroke is drawn
CHUNK = 64  # images drawn at a time: bounds the memory of their distances
CLOSEST = 0.2  # glyphs are at least so far apart on average, in units of half an image
CLOSEST_STROKES = 0.35  # and the strokes in which a pair differs
SHARED = 2  # strokes that the two classes of a pair have in common

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Alphabet:
    """What is drawn of one alphabet: `prototypes` are float64[classes, STROKES, 3, 2] control points."""

    prototypes: NDArray[np.float64]
    jitter: float


@dataclass(frozen=True)
class Drawn:
    """Images float32[n, SIDE, SIDE] of 0 (paper) to 1 (ink), their classes and levels int64[n]."""

    images: Floats
    labels: Ints
    levels: Ints


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
    alphabet = invent(classes, rng)
    labelled = np.repeat(np.arange(classes), size["labelled"])
    parts = []
    for labels, levels in (
        (labelled, np.zeros(len(labelled), dtype=np.int64)),
        (evenly(classes, size["pool"]), np.zeros(size["pool"], dtype=np.int64)),
        (evenly(classes, size["test"]), evenly(LEVELS, size["test"], classes)),
    ):
        order = rng.permutation(len(labels))
        parts.append(write(alphabet, labels[order], levels[order], rng))
    return Lesson(*parts)


def evenly(kinds: int, n: int, run: int = 1) -> Ints:
    """int64[n]: 0 to kinds - 1 in turn, each `run` times before the next."""
    return (np.arange(n) // run) % kinds


def invent(classes: int, rng: np.random.Generator) -> Alphabet:
    """An alphabet whose classes come in pairs that share all strokes but one.

    A stroke is a quadratic Bezier curve (three control points). A pair is drawn again until its two
    glyphs differ by enough, from each other in the stroke that they do not share, and from all others.
    """
    prototypes: list[NDArray[np.float64]] = []
    while len(prototypes) < classes:
        one = np.stack([stroke(rng) for _ in range(STROKES)])
        other = np.concatenate([one[:SHARED], [stroke(rng) for _ in range(STROKES - SHARED)]])
        apart = gap(one[SHARED:], other[SHARED:]) > CLOSEST_STROKES
        if apart and all(gap(new, old) > CLOSEST for new in (one, other) for old in prototypes):
            prototypes += [one, other]
    order = rng.permutation(len(prototypes))[:classes]
    return Alphabet(np.stack(prototypes)[order], float(rng.uniform(0.17, 0.19)))


def stroke(rng: np.random.Generator) -> NDArray[np.float64]:
    """float64[3, 2]: the control points of a stroke of some length, within the unit square around 0."""
    while True:
        points = rng.uniform(-0.85, 0.85, (3, 2))
        if 0.7 < np.linalg.norm(points[2] - points[0]) < 1.6:
            return points


def gap(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """The mean distance from a point of one glyph's strokes to the nearest of the other's, both ways."""
    a, b = (curve(glyph[None])[0].reshape(-1, 2) for glyph in (one, other))
    distances = np.linalg.norm(a[:, None] - b[None], axis=2)
    return float(distances.min(axis=1).mean() + distances.min(axis=0).mean()) / 2


def curve(strokes: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64[n, strokes, 3, 2] control points -> float64[n, strokes * POINTS, 2] points on the curves."""
    t = np.linspace(0.0, 1.0, POINTS)
    weights = np.stack([(1 - t) ** 2, 2 * t * (1 - t), t**2], axis=1)  # Bernstein polynomials
    points = np.einsum("pk,nskd->nspd", weights, strokes)
    return points.reshape(len(strokes), -1, 2)


def write(alphabet: Alphabet, labels: Ints, levels: Ints, rng: np.random.Generator) -> Drawn:
    """One image a label, each by another hand, rotated, moved and blurred by its level."""
    chunks = [
        ink(alphabet, labels[start : start + CHUNK], levels[start : start + CHUNK], rng)
        for start in range(0, len(labels), CHUNK)
    ]
    return Drawn(np.concatenate(chunks), labels, levels)


def ink(alphabet: Alphabet, labels: Ints, levels: Ints, rng: np.random.Generator) -> Floats:
    """float32[n, SIDE, SIDE]: the glyphs `labels` as a hand writes them, after the shift of their level."""
    n = len(labels)
    strokes = alphabet.prototypes[labels] + rng.normal(0.0, alphabet.jitter, (n, STROKES, 3, 2))
    hand = np.zeros((n, 2, 2))  # each hand's own width, height and slant
    hand[:, 0, 0], hand[:, 1, 1] = rng.uniform(0.8, 1.1, (2, n))
    hand[:, 0, 1] = rng.uniform(-0.25, 0.25, n)
    angle = np.deg2rad(ROTATION * levels * rng.uniform(0.6, 1.0, n) * rng.choice([-1.0, 1.0], n))
    angle += np.deg2rad(rng.uniform(-4.0, 4.0, n))
    turn = np.stack([np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)], axis=1).reshape(n, 2, 2)
    way = rng.uniform(0.0, 2 * np.pi, n)
    move = OFFSET * levels * np.stack([np.cos(way), np.sin(way)], axis=0) + rng.uniform(-0.5, 0.5, (2, n))
    half = SIDE / 2 - 1.5
    points = np.einsum("nij,njk,npk->npi", turn, hand, curve(strokes)) * half + move.T[:, None]
    pen = rng.uniform(0.55, 1.0, n)
    drawn = spread(points, pen) * rng.uniform(0.75, 1.0, n)[:, None, None]
    drawn = blurred(drawn, BLUR * levels * rng.uniform(0.8, 1.0, n))
    return np.clip(drawn + rng.normal(0.0, NOISE, drawn.shape), 0.0, 1.0).astype(np.float32)


def spread(points: NDArray[np.float64], pen: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ink where a pixel lies within `pen` (float64[n], pixels) of a point, fading over one pixel."""
    grid = np.arange(SIDE, dtype=np.float32) - (SIDE - 1) / 2
    across = (grid[None, None, :] - points[:, :, 0, None].astype(np.float32)) ** 2  # n, points, columns
    down = (grid[None, None, :] - points[:, :, 1, None].astype(np.float32)) ** 2
    nearest = np.sqrt((down[:, :, :, None] + across[:, :, None, :]).min(axis=1))
    return np.clip(pen[:, None, None] + 0.5 - nearest, 0.0, 1.0).astype(np.float64)


def blurred(images: NDArray[np.float64], sigma: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each image under a Gaussian of its own width (pixels), normalised at the edges; 0 leaves it as it is."""
    apart = np.arange(SIDE)[:, None] - np.arange(SIDE)[None, :]
    kernel = np.exp(-0.5 * (apart[None] / np.maximum(sigma, 1e-3)[:, None, None]) ** 2)
    kernel /= kernel.sum(axis=2, keepdims=True)
    return np.einsum("nij,njk,nlk->nil", kernel, images, kernel, optimize=True)


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
