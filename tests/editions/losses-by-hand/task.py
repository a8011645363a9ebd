"""losses-by-hand: asks for losses with their gradients on inputs that break textbook formulas, and counts digits.

What is drawn, and how often, comes from private.toml beside this file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.instances import Answer, ArraySpec, Evaluation, Instance, Request, Stage, Workbench
from harness.measures.stats import bootstrap_draws, percentile_interval
from harness.records import Measurement

Doubles = NDArray[np.float64]
Arguments = dict[str, Any]

ROUNDING = 2.0**-24  # half a unit in the last place of float32: no answer is asked to be closer
SMALLEST = 1e-30  # a row whose truth is smaller counts as this large
REGIMES = ("mild", "offset", "sure")
PRIVATE = Path(__file__).parent / "private.toml"


def prepare(workbench: Workbench) -> Instance:
    """The calls that private.toml asks for, in every regime, in an order that tells nothing of it."""
    private = tomllib.loads(PRIVATE.read_text("utf-8"))
    rows, classes = int(workbench.size["rows"]), int(workbench.size["classes"])
    rng = workbench.rng("calls")
    cells = [
        (phase, regime)
        for phase, share in private["share"].items()
        for regime in REGIMES
        for _ in range(share * int(workbench.size["per_cell"]))
    ]
    requests, right = [], {}
    for number, place in enumerate(rng.permutation(len(cells))):
        phase, regime = cells[place]
        arguments = DRAWN[phase](rng, private["draw"], regime, rows, classes)
        item = f"call-{number:05d}"
        right[item] = [np.asarray(block, dtype=np.float64) for block in TRUTHS[phase](*arguments.values())]
        shape = (2, rows * classes) if phase == "soft_margin" else (rows, 1 + classes)
        requests.append(Request(item, phase, arguments, ArraySpec("float32", shape), group="calls"))
        assert all(np.isfinite(block).all() for block in right[item]), f"{phase}: the truth is not finite"
    phases = {request.item: request.phase for request in requests}
    assert set(phases.values()) == set(TRUTHS), "every operation of the contract is asked for"
    return Instance(
        (Stage("serve", tuple(requests)),),
        {"right": right, "phases": phases},
        facts={"calls": len(requests), "rows": rows, "classes": classes},
    )


def between(rng: np.random.Generator, ends: list[float], size: Any = None) -> Any:
    """Drawn evenly between two ends."""
    return rng.uniform(ends[0], ends[1], size)


def drawn_rows(
    name: str, ends: str
) -> Callable[[np.random.Generator, Mapping[str, Any], str, int, int], Arguments]:
    """Draws rows of logits, targets, and the number called `name` from the range called `ends`."""

    def draw(rng: np.random.Generator, draws: Mapping[str, Any], regime: str, n: int, c: int) -> Arguments:
        logits, targets = rng.normal(0, 2, (n, c)), rng.integers(0, c, n)
        if regime == "offset":
            logits += between(rng, draws["offset"], (n, 1))
        if regime == "sure":
            logits[np.arange(n), targets] = -np.inf
            logits[np.arange(n), targets] = logits.max(axis=1) + between(rng, draws["lead"], n)
        number = float(between(rng, draws[ends]))
        return {"logits": logits.astype(np.float32), "targets": targets, name: number}

    return draw


def drawn_margins(
    rng: np.random.Generator, draws: Mapping[str, Any], regime: str, n: int, c: int
) -> Arguments:
    """Single logits: around zero, of any size, or all of them sure."""
    sharpness, targets = float(between(rng, draws["sharpness"])), rng.integers(0, 2, n * c)
    margins = rng.normal(0, 2, n * c)
    if regime == "offset":
        margins = rng.choice([-1.0, 1.0], n * c) * 10 ** rng.uniform(-6, 3, n * c)
    if regime == "sure":
        margins = between(rng, draws["lead"], n * c) / sharpness
    logits = np.where(targets == 1, margins, -margins).astype(np.float32)
    return {"logits": logits, "targets": targets, "sharpness": sharpness}


DRAWN = {
    "power_loss": drawn_rows("exponent", "exponent"),
    "poly_loss": drawn_rows("epsilon", "epsilon"),
    "soft_margin": drawn_margins,
}


def surprise(logits: NDArray[np.float32], targets: NDArray[np.int64]) -> tuple[Doubles, Doubles, Doubles]:
    """-log p [n], 1 - p [n] and d(-log p)/d logits [n, c] of a softmax; nothing is taken from 1."""
    z, rows = logits.astype(np.float64), np.arange(len(logits))
    ahead = z - z[rows, targets, None]
    ahead[rows, targets] = -np.inf
    most = np.maximum(ahead.max(axis=1), 0)
    others = np.exp(ahead - most[:, None])
    rest, own = others.sum(axis=1), np.exp(-most)
    loss = np.where(most > 0, most + np.log(own + rest), np.log1p(rest))
    slope = others / (own + rest)[:, None]
    slope[rows, targets] = -rest / (own + rest)
    return loss, rest / (own + rest), slope


def true_power_loss(logits: NDArray[np.float32], targets: NDArray[np.int64], q: float) -> list[Doubles]:
    """Losses [n, 1] and gradients [n, c]: with l = -log p the loss is -expm1(-q l) / q."""
    loss, _, slope = surprise(logits, targets)
    return [(-np.expm1(-q * loss) / q)[:, None], np.exp(-q * loss)[:, None] * slope]


def true_poly_loss(logits: NDArray[np.float32], targets: NDArray[np.int64], epsilon: float) -> list[Doubles]:
    """Losses [n, 1] and gradients [n, c]: 1 - p falls by p times what -log p falls by."""
    loss, unsure, slope = surprise(logits, targets)
    return [(loss + epsilon * unsure)[:, None], slope * (1 + epsilon * np.exp(-loss))[:, None]]


def true_soft_margin(logits: NDArray[np.float32], targets: NDArray[np.int64], b: float) -> list[Doubles]:
    """Losses [n, 1] and derivatives [n, 1]: each logit is a row of its own."""
    side = np.where(targets == 1, 1.0, -1.0)
    margin = b * (side * logits.astype(np.float64))
    small = np.exp(-np.abs(margin))
    loss = (np.maximum(-margin, 0) + np.log1p(small)) / b
    return [loss[:, None], (-side * np.where(margin > 0, small, 1) / (1 + small))[:, None]]


TRUTHS = {"power_loss": true_power_loss, "poly_loss": true_poly_loss, "soft_margin": true_soft_margin}


def digits(phase: str, answer: NDArray[Any], blocks: list[Doubles]) -> float:
    """Correct digits of the worst entry, 0 to 7.22: -log10 of its error by the largest of its row."""
    given = [row[:, None] for row in answer] if phase == "soft_margin" else [answer[:, :1], answer[:, 1:]]
    worst = max(
        float((np.abs(own - block) / np.maximum(np.abs(block).max(axis=1, keepdims=True), SMALLEST)).max())
        for own, block in zip(given, blocks, strict=True)
    )
    return float(-np.log10(min(max(worst, ROUNDING), 1.0)))


def evaluate(instance: Instance, answers: Mapping[str, Answer]) -> Evaluation:
    """The mean over calls of their correct digits, and the same for each operation."""
    right, phases = instance.hidden["right"], instance.hidden["phases"]
    each = {item: digits(phases[item], np.asarray(answers[item]), blocks) for item, blocks in right.items()}
    draws = bootstrap_draws(np.array(list(each.values())))
    low, high = percentile_interval(draws)
    whole = _measured("digits", list(each.values())).model_copy(
        update={"low": low, "high": high, "draws": tuple(draws.tolist())}
    )
    parts = [
        _measured(f"digits_{phase}", [v for item, v in each.items() if phases[item] == phase])
        for phase in TRUTHS
    ]
    return Evaluation((whole, *parts))


def _measured(name: str, values: list[float]) -> Measurement:
    return Measurement(name=name, unit="", direction="higher", value=float(np.mean(values)))
