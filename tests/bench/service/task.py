"""bench-service: rows times a power of a rotation, by as many products as the call is to take.

The work of a call does not depend on the values in it (a rotation keeps their size, so no number
becomes denormal); the answer does, and the parent knows it from the power, which it takes once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from harness.instances import Answer, ArraySpec, BlobSpec, Evaluation, FromItem, Instance, Request, Stage
from harness.records import Measurement

ROWS, WIDTH = 32, 128
TOLD = (2, 256)  # readings of its own clock that a submission hands over: of its calls, of them again
ARTEFACT_BYTES = 2**20


def prepare(workbench: Any) -> Instance:
    """Numbers drawn by seed; the right answers stay hidden."""
    size = {name: int(value) for name, value in workbench.size.items()}
    rng = workbench.rng("numbers")
    matrix = np.linalg.qr(rng.standard_normal((WIDTH, WIDTH)))[0].astype(np.float32)
    power = np.linalg.matrix_power(matrix.astype(np.float64), size["loops"])
    spare = max(0, workbench.max_pairs - workbench.pairs)
    hidden: dict[str, np.ndarray] = {}
    base = _serving(size, workbench.pairs, "", (rng, power, hidden))
    more = _serving(size, spare, "more-", (rng, power, hidden))
    learning = Request("artefact", "learn", {"matrix": matrix}, BlobSpec(ARTEFACT_BYTES))
    loading = Request("load", "load", {"artefact": FromItem("artefact")})
    stages = (
        Stage("learn", (learning,)),
        Stage("serve", tuple(base), each=(loading,), reserve=tuple(more), paired=True),
    )
    assert all(np.isfinite(right).all() for right in hidden.values())
    return Instance(stages, hidden, facts={"loops": size["loops"]})


def _serving(
    size: Mapping[str, int],
    pairs: int,
    prefix: str,
    made: tuple[np.random.Generator, np.ndarray, dict[str, np.ndarray]],
) -> Iterator[Request]:
    """So many pairs' requests, warm-up first; the right answers of the timed ones go into `made`."""
    rng, power, hidden = made
    spec = ArraySpec("float32", (WIDTH,))
    for kind, count in (("warm", size["warmups"]), ("call", size["calls"])):
        for number in range(count * pairs):
            item = f"{prefix}{kind}-{number:04d}"
            rows = rng.standard_normal((ROWS, WIDTH), dtype=np.float32)
            arguments = {"numbers": rows, "loops": size["loops"]}
            yield Request(item, "answer", arguments, spec, timed=True, warmup=kind == "warm")
            if kind == "call":
                hidden[item] = rows.mean(axis=0, dtype=np.float64) @ power
    for number in range(pairs if size["told"] else 0):
        told = ArraySpec("int64", TOLD, low=0)
        yield Request(f"{prefix}told-{number:04d}", "told", {}, told, scored=False)


def evaluate(instance: Instance, answers: Mapping[str, Answer]) -> Evaluation:
    """How many digits are right, over every answer that was given: the median and the least."""
    digits = np.array(
        [
            _digits(np.asarray(answers[item]), right)
            for item, right in instance.hidden.items()
            if item in answers
        ]
    )
    found = {"digits": float(np.median(digits)), "least_digits": float(digits.min())}
    return Evaluation(
        tuple(
            Measurement(name=name, unit="", direction="higher", value=value, low=value, high=value)
            for name, value in found.items()
        )
    )


def _digits(given: np.ndarray, right: np.ndarray) -> float:
    error = float(np.abs(given - right).max() / np.abs(right).max())
    return float(-np.log10(max(error, 1e-9)))
