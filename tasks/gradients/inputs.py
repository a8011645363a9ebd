"""The inputs of gradients: four regimes for each operation, drawn so that every truth is well conditioned.

A lead is how far the winner's logit stands above the next one. From about 17 on, 1 - p is rounded to 0 in
single precision, from 37 on in double; a loss of exp(-62) is still a normal float32.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rng = np.random.Generator
Arguments = dict[str, Any]

LEADS = (18.0, 62.0)


@dataclass(frozen=True)
class Shape:
    """The sizes of all inputs."""

    rows: int
    classes: int
    width: int


def logits_mild(rng: Rng, shape: Shape) -> Arguments:
    """Logits of a network in training, smoothed as usual."""
    return _logits(rng, rng.normal(0, rng.uniform(1, 4), (shape.rows, shape.classes)), rng.uniform(0.05, 0.2))


def logits_wide(rng: Rng, shape: Shape) -> Arguments:
    """A common offset of thousands under every row, and long tails; in half of the rows the target wins."""
    tails = np.clip(rng.standard_t(1.2, (shape.rows, shape.classes)), -1e3, 1e3)
    drawn = _logits(rng, tails + rng.uniform(-9e3, 9e3, (shape.rows, 1)), 0.0)
    won = np.where(np.arange(shape.rows) % 2 == 0, drawn["logits"].argmax(axis=1), drawn["targets"])
    return drawn | {"targets": won.astype(np.int64)}


def logits_sure(rng: Rng, shape: Shape) -> Arguments:
    """The target leads by far, without smoothing: what is left of the loss is the tail."""
    return _led(rng, shape, 0.0)


def logits_softened(rng: Rng, shape: Shape) -> Arguments:
    """The target leads by far, under a smoothing so small that 1 - smoothing rounds."""
    return _led(rng, shape, float(10 ** rng.uniform(-16, -10)))


def _logits(rng: Rng, logits: NDArray[np.float64], smoothing: float) -> Arguments:
    n, classes = logits.shape
    targets = rng.integers(0, classes, n)
    return {"logits": logits.astype(np.float32), "targets": targets, "smoothing": float(smoothing)}


def _led(rng: Rng, shape: Shape, smoothing: float) -> Arguments:
    logits = rng.normal(0, 2, (shape.rows, shape.classes))
    drawn = _logits(rng, logits, smoothing)
    rows, targets = np.arange(shape.rows), drawn["targets"]
    logits[rows, targets] = -np.inf
    lead = rng.uniform(*LEADS) * rng.uniform(0.9, 1.0, shape.rows)
    logits[rows, targets] = logits.max(axis=1) + lead
    return drawn | {"logits": logits.astype(np.float32)}


def margins_mild(rng: Rng, shape: Shape) -> Arguments:
    """Logits around zero, the usual exponent."""
    return _margins(rng, rng.normal(0, 2, shape.rows * shape.classes), 2.0)


def margins_wide(rng: Rng, shape: Shape) -> Arguments:
    """Sizes from 1e-6 to 1e4, of either sign."""
    n = shape.rows * shape.classes
    return _margins(rng, rng.choice([-1.0, 1.0], n) * 10 ** rng.uniform(-6, 4, n), rng.uniform(0.5, 3))


def margins_sure(rng: Rng, shape: Shape) -> Arguments:
    """All targets are sure, the loss itself stays above 1e-29."""
    return _all_sure(rng, shape, float(rng.choice([1.0, 1.5, 2.0])))


def margins_blunt(rng: Rng, shape: Shape) -> Arguments:
    """As sure, with an exponent below 1: its derivative is a power below 0."""
    return _all_sure(rng, shape, float(rng.uniform(0.25, 0.75)))


def _all_sure(rng: Rng, shape: Shape, gamma: float) -> Arguments:
    most = rng.uniform(15.0, 66.0 / (1.0 + gamma))
    return _margins(rng, most * rng.uniform(0.5, 1.0, shape.rows * shape.classes), gamma)


def _margins(rng: Rng, margins: NDArray[np.float64], gamma: float) -> Arguments:
    targets = rng.integers(0, 2, len(margins))
    logits = np.where(targets == 1, margins, -margins).astype(np.float32)
    return {"logits": logits, "targets": targets, "gamma": float(gamma)}


def pairs_mild(rng: Rng, shape: Shape) -> Arguments:
    """Keys near their queries, a usual temperature."""
    return _pairs(rng, shape, noise=0.5, temperature=rng.uniform(0.07, 0.3))


def pairs_cold(rng: Rng, shape: Shape) -> Arguments:
    """All vectors crowd together, and the temperature is as low as their cosines are close."""
    crowd = rng.normal(0, 1, shape.width)
    return _pairs(rng, shape, noise=1.0, temperature=rng.uniform(5e-4, 2e-3), crowd=crowd, spread=0.05)


def pairs_sure(rng: Rng, shape: Shape) -> Arguments:
    """Every query is sure of its key: the temperature makes the smallest lead what was drawn."""
    drawn = _pairs(rng, shape, noise=0.3, temperature=1.0)
    cosines = _cosines(drawn["queries"].astype(np.float64), drawn["keys"].astype(np.float64))
    own = np.diag(cosines).copy()
    np.fill_diagonal(cosines, -np.inf)
    lead = (own - cosines.max(axis=1)).min()
    return drawn | {"temperature": float(lead / rng.uniform(LEADS[0], LEADS[1] - 20))}


def pairs_scaled(rng: Rng, shape: Shape) -> Arguments:
    """Lengths from 1e-6 to 1e4: the cosine knows nothing of them, the gradients do."""
    drawn = _pairs(rng, shape, noise=0.5, temperature=rng.uniform(0.02, 0.1))
    lengths = [10 ** rng.uniform(-6, 4, (shape.rows, 1)) for _ in range(2)]
    queries, keys = (
        (drawn[k] * s).astype(np.float32) for k, s in zip(("queries", "keys"), lengths, strict=True)
    )
    return drawn | {"queries": queries, "keys": keys}


def _pairs(
    rng: Rng, shape: Shape, noise: float, temperature: float, crowd: Any = 0.0, spread: float = 1.0
) -> Arguments:
    size = (shape.rows, shape.width)
    keys = rng.normal(0, 1, size)
    queries = keys + noise * rng.normal(0, 1, size)
    queries, keys = crowd + spread * queries, crowd + spread * keys
    return {
        "queries": queries.astype(np.float32),
        "keys": keys.astype(np.float32),
        "temperature": float(temperature),
    }


def rows_mild(rng: Rng, shape: Shape) -> Arguments:
    """Activations of order 1."""
    return _rows(rng, rng.normal(rng.normal(), 1, (shape.rows, shape.classes)), 1e-5)


def rows_offset(rng: Rng, shape: Shape) -> Arguments:
    """A mean of up to 1e4 under a spread of a few units in the last place."""
    spread, mean = 10 ** rng.uniform(-2.3, -1), rng.uniform(2e3, 1e4, (shape.rows, 1))
    return _rows(rng, mean + spread * rng.normal(0, 1, (shape.rows, shape.classes)), 1e-12)


def rows_small(rng: Rng, shape: Shape) -> Arguments:
    """Everything of the order 1e-6, and one member in some rows of the order 1e4."""
    x = 1e-6 * rng.normal(rng.normal(), 1, (shape.rows, shape.classes))
    long = rng.choice(shape.rows, shape.rows // 4, replace=False)
    x[long, rng.integers(0, shape.classes, len(long))] = 10 ** rng.uniform(1, 4, len(long))
    return _rows(rng, x, 1e-12)


def rows_flat(rng: Rng, shape: Shape) -> Arguments:
    """Constant rows of any size: no spread at all, and eps is everything."""
    x = np.repeat(
        rng.choice([-1.0, 1.0], (shape.rows, 1)) * rng.uniform(1e3, 1e4, (shape.rows, 1)), shape.classes, 1
    )
    return _rows(rng, x, float(10 ** rng.uniform(-12, -8)))


def _rows(rng: Rng, x: NDArray[np.float64], eps: float) -> Arguments:
    n, width = x.shape
    weight, bias = 1 + 0.3 * rng.normal(0, 1, width), rng.normal(0, 1, width)
    drawn = {"x": x, "weight": weight, "bias": bias, "upstream": rng.normal(0, 1, (n, width))}
    return {name: value.astype(np.float32) for name, value in drawn.items()} | {"eps": eps}


def heads_mild(rng: Rng, shape: Shape) -> Arguments:
    """Everything of order 1."""
    return _heads(rng, shape)


def heads_large(rng: Rng, shape: Shape) -> Arguments:
    """Scores up to 1e4: one winner in almost every row."""
    drawn = _heads(rng, shape)
    scores = _scores(drawn)
    return drawn | {
        "queries": (drawn["queries"] * (rng.uniform(1e2, 1e4) / np.abs(scores).max())).astype(np.float32)
    }


def heads_sure(rng: Rng, shape: Shape) -> Arguments:
    """Every query's winner leads by far, and no two queries have the same one."""
    drawn = _heads(rng, shape)
    keys = drawn["keys"].astype(np.float64)
    keys /= np.linalg.norm(keys, axis=1, keepdims=True)
    drawn["keys"] = keys.astype(np.float32)
    drawn["queries"] = drawn["keys"][rng.permutation(shape.rows)]
    ordered = np.sort(_scores(drawn), axis=1)
    lead = rng.uniform(*LEADS) * rng.uniform(0.9, 1.0, shape.rows) / (ordered[:, -1] - ordered[:, -2])
    return drawn | {"queries": (drawn["queries"] * lead[:, None]).astype(np.float32)}


def heads_offset(rng: Rng, shape: Shape) -> Arguments:
    """Keys and values share an offset of thousands, which no gradient of the scores depends on."""
    drawn = _heads(rng, shape)
    keys, values = (rng.uniform(1e3, 9e3, shape.width) + drawn[name] for name in ("keys", "values"))
    return drawn | {"keys": keys.astype(np.float32), "values": values.astype(np.float32)}


def _heads(rng: Rng, shape: Shape) -> Arguments:
    names = ("queries", "keys", "values", "upstream")
    return {name: rng.normal(0, 1, (shape.rows, shape.width)).astype(np.float32) for name in names}


def _cosines(queries: NDArray[Any], keys: NDArray[Any]) -> NDArray[Any]:
    units = [part / np.sqrt((part * part).sum(axis=1, keepdims=True)) for part in (queries, keys)]
    return units[0] @ units[1].T


def _scores(drawn: Arguments) -> NDArray[np.float64]:
    q, k = drawn["queries"].astype(np.float64), drawn["keys"].astype(np.float64)
    return q @ k.T / np.sqrt(q.shape[1])


REGIMES: dict[str, dict[str, Callable[[Rng, Shape], Arguments]]] = {
    "cross_entropy": {
        "mild": logits_mild,
        "wide": logits_wide,
        "sure": logits_sure,
        "softened": logits_softened,
    },
    "focal": {"mild": margins_mild, "wide": margins_wide, "sure": margins_sure, "blunt": margins_blunt},
    "info_nce": {"mild": pairs_mild, "cold": pairs_cold, "sure": pairs_sure, "scaled": pairs_scaled},
    "layer_norm": {"mild": rows_mild, "offset": rows_offset, "small": rows_small, "flat": rows_flat},
    "attention": {"mild": heads_mild, "large": heads_large, "sure": heads_sure, "offset": heads_offset},
}
