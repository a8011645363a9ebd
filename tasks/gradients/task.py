"""gradients: asks for losses and layers with their gradients on inputs that break textbook formulas, and counts digits.

inputs.py draws, truth.py knows what is right; neither crosses to a worker. A request's name and place say
nothing of its regime.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import TaskError
from harness.instances import Answer, ArraySpec, Evaluation, Instance, Request, Stage, Workbench
from harness.measures.stats import bootstrap_draws, percentile_interval
from harness.records import Measurement, Series
from harness.tasks import beside

Doubles = NDArray[np.float64]

ROUNDING = 2.0**-24  # half a unit in the last place of float32: no answer is asked to be closer
SMALLEST = 1e-30  # a row whose truth is smaller counts as this large: float32 itself ends at 1e-38
LARGEST = 1e30
REGIMES = 4  # of each operation
WARMUPS = 16  # of each operation in each process pair: enough to see whether it is steady

inputs, truth = beside(__file__, "inputs"), beside(__file__, "truth")


@dataclass(frozen=True)
class Right:
    """What a call should answer: its blocks float64[n, k], and the size of each of their rows float64[n, 1]."""

    blocks: tuple[Doubles, ...]
    sizes: tuple[Doubles, ...]


def prepare(workbench: Workbench) -> Instance:
    """As many calls in every regime of every operation, shuffled; warm-ups; and a reserve of the same mix."""
    size = {name: int(value) for name, value in workbench.size.items()}
    shape = inputs.Shape(size["rows"], size["classes"], size["width"])
    base, warm = REGIMES * size["per_cell"], WARMUPS * workbench.pairs
    counts = {
        "warm": warm,
        "call": base,
        "more-warm": workbench.reserve(warm),
        "more": workbench.reserve(base),
    }
    regimes: dict[str, str] = {}
    requests = {
        name: calls(name, count, shape, workbench.rng(name), regimes) for name, count in counts.items()
    }
    stage = Stage(
        "serve",
        (*requests["warm"], *requests["call"]),
        reserve=(*requests["more-warm"], *requests["more"]),
        paired=True,
    )
    scored = [*requests["call"], *requests["more"]]
    right = {request.item: right_answer(request) for request in scored}
    check(scored, right)
    return Instance(
        (stage,), {"right": right, "regimes": regimes}, facts={"calls": len(requests["call"]), **size}
    )


def calls(
    name: str, count: int, shape: Any, rng: np.random.Generator, regimes: dict[str, str]
) -> list[Request]:
    """`count` requests of each operation in random order, its regimes in turn; notes each one's regime."""
    kinds = [(phase, turn) for phase in inputs.REGIMES for turn in range(count)]
    made: list[Request] = []
    for place in rng.permutation(len(kinds)):
        phase, turn = kinds[place]
        regime = list(inputs.REGIMES[phase])[turn % REGIMES]
        arguments = inputs.REGIMES[phase][regime](rng, shape)
        item = f"{name}-{len(made):05d}"
        spec = ArraySpec("float32", answer_shape(phase, shape))
        made.append(
            Request(item, phase, arguments, spec, group=phase, timed=True, warmup=name.endswith("warm"))
        )
        regimes[item] = regime
    return made


def answer_shape(phase: str, shape: Any) -> tuple[int, ...]:
    """The shape of an operation's answer, as contract.py states it."""
    n, classes, width = shape.rows, shape.classes, shape.width
    return {
        "cross_entropy": (n, 1 + classes),
        "focal": (2, n * classes),
        "info_nce": (n, 1 + 2 * width),
        "layer_norm": (2 * n + 2, classes),
        "attention": (4, n, width),
    }[phase]


def right_answer(request: Request) -> Right:
    """The truth of one call."""
    blocks = truth.TRUTHS[request.phase](**request.arguments)
    sizes = (np.maximum(np.abs(block).max(axis=1, keepdims=True), SMALLEST) for block in blocks)
    return Right(tuple(blocks), tuple(sizes))


def packed(phase: str, blocks: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """The blocks in the layout of an answer, as contract.py states it."""
    if phase == "focal":
        return np.stack([block[:, 0] for block in blocks])
    if phase == "attention":
        return np.stack(blocks)
    return np.concatenate(blocks, axis=0 if phase == "layer_norm" else 1)


def unpacked(phase: str, answer: NDArray[Any], right: Right) -> list[NDArray[Any]]:
    """The blocks of an answer: the way back from `packed`."""
    if phase == "focal":
        return [row[:, None] for row in answer]
    if phase == "attention":
        return list(answer)
    axis = 0 if phase == "layer_norm" else 1
    return np.split(answer, np.cumsum([block.shape[axis] for block in right.blocks])[:-1], axis=axis)


def check(scored: Sequence[Request], right: Mapping[str, Right]) -> None:
    """Our own invariants."""
    for request in scored:
        known = right[request.item]
        spec = request.returns
        assert isinstance(spec, ArraySpec)
        assert packed(request.phase, known.blocks).shape == spec.shape, f"{request.phase}: another shape"
        for block in known.blocks:
            assert np.isfinite(block).all(), f"{request.phase}: the truth is not finite"
            assert np.abs(block).max() < LARGEST, f"{request.phase}: the truth does not fit into float32"
        for value in request.arguments.values():
            assert np.isfinite(np.asarray(value)).all(), f"{request.phase}: an input is not finite"


def digits(phase: str, answer: NDArray[Any], right: Right) -> float:
    """Correct digits of the worst entry, 0 to 7.22: -log10 of its error by the largest of its row."""
    blocks = unpacked(phase, answer, right)
    worst = max(
        float((np.abs(given - block) / size).max())
        for given, block, size in zip(blocks, right.blocks, right.sizes, strict=True)
    )
    return float(-np.log10(min(max(worst, ROUNDING), 1.0)))


def evaluate(instance: Instance, answers: Mapping[str, Answer]) -> Evaluation:
    """The mean over calls of their correct digits; the same for each operation and each regime."""
    right: Mapping[str, Right] = instance.hidden["right"]
    items = [item for item in right if item in answers]
    if not items:
        raise TaskError("no scored call of gradients was answered: its stage serve asks for none")
    phase_of = {request.item: request.phase for request in instance.requests()}
    call_digits = np.array([digits(phase_of[i], np.asarray(answers[i]), right[i]) for i in items])
    cells: dict[str, dict[str, list[float]]] = {phase: {} for phase in inputs.REGIMES}
    for item, value in zip(items, call_digits.tolist(), strict=True):
        cells[phase_of[item]].setdefault(instance.hidden["regimes"][item], []).append(value)
    draws = bootstrap_draws(call_digits)
    low, high = percentile_interval(draws)
    whole = Measurement(
        name="digits",
        unit="",
        direction="higher",
        value=float(call_digits.mean()),
        low=low,
        high=high,
        draws=tuple(draws.tolist()),
    )
    parts = [_part(phase, regime, values) for phase, of in cells.items() for regime, values in of.items()]
    return Evaluation((whole, *parts), (_worst_first(cells),))


def _part(phase: str, regime: str, values: Sequence[float]) -> Measurement:
    return Measurement(
        name=f"digits_{phase}_{regime}", unit="", direction="higher", value=float(np.mean(values))
    )


def _worst_first(cells: Mapping[str, Mapping[str, Sequence[float]]]) -> Series:
    """The digits of all cells in ascending order: where an answer breaks, and how badly."""
    means = sorted(float(np.mean(values)) for of in cells.values() for values in of.values())
    places = tuple(float(place) for place in range(1, len(means) + 1))
    return Series(
        name="digits of each regime of each operation",
        x_label="regimes, worst first",
        y_label="digits",
        x=places,
        y=tuple(means),
    )
