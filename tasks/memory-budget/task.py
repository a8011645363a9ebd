"""memory-budget: draws weights and batches for a seed; a judge's plain loop says what training them must give."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import Fault, TaskError
from harness.instances import Answer, ArraySpec, Evaluation, Instance, Request, Stage, Workbench
from harness.records import Measurement, Series

IGNORED = -1
NEXT = 0.6  # how often a token is followed by the one that belongs to it, else by any
ZIPF = 1.1
MILLION = 1e6
# Library pages that anybody's first calls of torch touch: 17 to 19 MiB in every tier here. They count for all,
# also for who makes the kernel forget them (madvise) or does without torch: no skill of training is in them.
LIBRARY_PAGES = 20 * 2**20
SHAPE = ("vocabulary", "width", "length", "layers", "heads")
RATES = ("learning_rate", "momentum", "weight_decay")

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


def prepare(workbench: Workbench) -> Instance:
    """Initial weights, batches of a made-up language, and the requests for a submission and for the judge."""
    size = workbench.size
    settings = {name: int(size[name]) for name in SHAPE} | {name: float(size[name]) for name in RATES}
    weights = initial(layout(settings), workbench.rng("weights"))
    steps, batch = int(size["steps"]), int(size["batch"])
    tokens, targets = language(settings, steps, batch, workbench.rng("tokens"))
    check(settings, weights, tokens, targets)
    arguments = {"weights": weights, "tokens": tokens, "targets": targets, "settings": json.dumps(settings)}
    losses, trained = ArraySpec("float32", (steps,)), ArraySpec("float32", weights.shape)
    return Instance(
        stages=(
            Stage(
                "train",
                (
                    Request("losses", "train", arguments, losses, group="training", count=tokens.size),
                    Request("weights", "weights", {}, trained, group="training"),
                ),
            ),
            # What is right is only computed once the submission has ended: there is nothing to find before.
            Stage(
                "judge",
                (
                    Request("true-losses", "replay", arguments, losses, group="judging"),
                    Request("true-weights", "replayed", {}, trained, group="judging"),
                ),
                judge="judge",
            ),
        ),
        hidden={"initial": weights, "layout": layout(settings)},
        facts={
            "parameters": weights.size,
            "weights_mib": round(weights.nbytes / 2**20, 2),
            "steps": steps,
            "sequences_per_batch": batch,
            "targets_per_batch": int((targets != IGNORED).sum() // steps),
            "logits_of_a_batch_mib": round(batch * settings["length"] * settings["vocabulary"] / 2**18, 1),
        },
    )


# ---------------------------------------------------------------- what is drawn


def layout(settings: Mapping[str, Any]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Names and shapes of all parameters in the order of the flat array."""
    width = settings["width"]
    parts = {"norm_1": (width,), "qkv": (3 * width, width), "out": (width, width)}
    parts |= {"norm_2": (width,), "up": (4 * width, width), "down": (width, 4 * width)}
    shapes: list[tuple[str, tuple[int, ...]]] = [
        ("embedding", (settings["vocabulary"], width)),
        ("positions", (settings["length"], width)),
    ]
    shapes += [
        (f"{layer}.{name}", part) for layer in range(settings["layers"]) for name, part in parts.items()
    ]
    return (*shapes, ("norm", (width,)))


def initial(shapes: tuple[tuple[str, tuple[int, ...]], ...], rng: np.random.Generator) -> Floats:
    """Gains near 1, embeddings of deviation 0.05, matrices of deviation 1 / sqrt(columns); float32[P]."""
    parts = []
    for name, shape in shapes:
        drawn = rng.standard_normal(int(np.prod(shape)))
        if len(shape) == 1:
            parts.append(1.0 + 0.05 * drawn)
        else:
            parts.append(drawn * (0.05 if name in ("embedding", "positions") else shape[1] ** -0.5))
    return np.concatenate(parts).astype(np.float32)


def language(
    settings: Mapping[str, Any], steps: int, batch: int, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Tokens and targets, int64[steps, batch, length] each.

    Words are as frequent as Zipf says, and each is often followed by one that belongs to it. Every
    batch's first sequence has the whole length, the others between a quarter and all of it.
    """
    vocabulary, length = settings["vocabulary"], settings["length"]
    follower = rng.permutation(vocabulary)
    shares = np.arange(1, vocabulary + 1) ** -ZIPF
    words = rng.choice(vocabulary, size=(steps * batch, length + 1), p=shares / shares.sum()).astype(np.int64)
    follows = rng.random(words.shape) < NEXT
    for place in range(1, length + 1):
        words[:, place] = np.where(follows[:, place], follower[words[:, place - 1]], words[:, place])
    words = words.reshape(steps, batch, length + 1)
    ends = rng.integers(length // 4, length, (steps, batch))
    ends[:, 0] = length
    inside = np.arange(length) < ends[:, :, None]
    return np.where(inside, words[:, :, :-1], 0), np.where(inside, words[:, :, 1:], IGNORED)


def check(settings: Mapping[str, Any], weights: Floats, tokens: Ints, targets: Ints) -> None:
    """The instance's invariants."""
    assert settings["width"] % settings["heads"] == 0, "the width is no multiple of the heads"
    assert weights.dtype == np.float32
    assert np.isfinite(weights).all()
    assert tokens.dtype == targets.dtype == np.int64
    assert tokens.min() >= 0
    assert tokens.max() < settings["vocabulary"]
    assert targets.max() < settings["vocabulary"]
    counts = (targets != IGNORED).sum(axis=2)
    assert (counts[:, 0] == settings["length"]).all(), "some position is trained in no step"
    assert (counts.min(axis=1) >= 1).all(), "a sequence has nothing to predict"
    assert (counts.min(axis=1) < counts.max(axis=1)).all(), "all sequences of a batch are of one length"


# ---------------------------------------------------------------- evaluation


def evaluate(instance: Instance, answers: Mapping[str, Answer]) -> Evaluation:
    """How far losses and trained weights are from the plain loop's."""
    losses, right = (np.asarray(answers[item], dtype=np.float64) for item in ("losses", "true-losses"))
    apart = float(np.max(np.abs(losses / right - 1.0)))
    begin = instance.hidden["initial"]
    worst = update_error(
        begin, np.asarray(answers["weights"]), np.asarray(answers["true-weights"]), instance.hidden["layout"]
    )
    steps = tuple(float(step + 1) for step in range(len(losses)))
    return Evaluation(
        measurements=(exact("update_error", worst), exact("loss_error", apart)),
        series=(Series(name="loss", x_label="step", y_label="nats", x=steps, y=tuple(losses.tolist())),),
    )


def update_error(
    begin: Floats, trained: Floats, right: Floats, shapes: tuple[tuple[str, tuple[int, ...]], ...]
) -> float:
    """The largest over all parameters of |trained - right| / |right - begin| (Euclidean).

    Raises TaskError where the plain loop left a parameter as it was: then there is no scale to go by.
    """
    worst, start = 0.0, 0
    for name, shape in shapes:
        part = slice(start, start + int(np.prod(shape)))
        start = part.stop
        true, got, before = (array[part].astype(np.float64) for array in (right, trained, begin))
        way = float(np.linalg.norm(true - before))
        if not way:
            raise TaskError(f"the plain loop of memory-budget left {name} as it was: its sizes train nothing")
        worst = max(worst, float(np.linalg.norm(got - true)) / way)
    return worst


def conclude(instance: Instance, measurements: Mapping[str, Measurement]) -> Evaluation:
    """The objective: what the worker held at its peak beyond what it held before the submission was loaded."""
    peak, base = measurements["peak_memory"], measurements.get("peak_memory_base")
    if peak.value is None or base is None or base.value is None:
        why = peak.absent_because or "what the worker held at first was not read"
        return Evaluation((memory(None, peak.measured_by, why),))
    held = peak.value - base.value
    if held < instance.hidden["initial"].nbytes:
        raise Fault(
            "implausible",
            f"the worker's peak is {held / 2**20:.1f} MiB, and the weights that it was given are more",
        )
    held = charged(measurements, peak.value) - base.value
    return Evaluation((memory(held, peak.measured_by),))


def charged(measurements: Mapping[str, Measurement], peak: float) -> float:
    """The peak in bytes, at each reading of which at least `LIBRARY_PAGES` of library pages are charged.

    A reading of which f are mapped files counts host + max(0, LIBRARY_PAGES + base_file - f); the most of
    that over all readings is the larger of the peak and of the most beyond files plus the pages charged.
    So pages that were there once and were dropped before the peak are charged, too.
    """
    other, base = (measurements.get(f"peak_memory_{name}") for name in ("other", "base_file"))
    if other is None or base is None or other.value is None or base.value is None:
        return peak  # where kinds of memory cannot be told apart
    return max(peak, other.value + base.value + LIBRARY_PAGES)


def memory(value: float | None, by: str, why: str = "") -> Measurement:
    """The measurement `training_memory`, in bytes."""
    return Measurement(
        name="training_memory", unit="B", direction="lower", value=value, measured_by=by, absent_because=why
    )


def exact(name: str, share: float) -> Measurement:
    """A relative error in parts per million, which no sampling blurs."""
    value = share * MILLION
    return Measurement(name=name, unit="ppm", direction="lower", value=value, low=value, high=value)
