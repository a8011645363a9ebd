"""matmul: fresh vectors through the same matrix, so many times; every answer is checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from harness.errors import Fault
from harness.instances import Answer, ArraySpec, BlobSpec, Evaluation, FromItem, Instance, Request, Stage
from harness.measures.stats import bootstrap_draws, percentile_interval
from harness.records import Measurement


def prepare(workbench: Any) -> Instance:
    """Vectors drawn by seed; their lengths after the products stay hidden."""
    size = {name: int(value) for name, value in workbench.size.items()}
    width, loops = size["width"], size["loops"]
    rng = workbench.rng("vectors")
    spec = ArraySpec("float32", (width,))

    def ask(item: str, **how: bool) -> Request:
        vector = rng.standard_normal(width).astype(np.float32)
        return Request(
            item, "answer", {"vector": vector, "loops": loops}, spec, group="answer", timed=True, **how
        )

    def asked(prefix: str, pairs: int, calls: int) -> tuple[Request, ...]:
        warm = [ask(f"{prefix}warm-{i}", warmup=True) for i in range(size["warmups"] * pairs)]
        return (*warm, *(ask(f"{prefix}answer-{i}") for i in range(calls)))

    more = workbench.max_pairs - workbench.pairs
    serve = Stage(
        "serve",
        asked("", workbench.pairs, size["requests"]),
        each=(Request("loaded", "load", {"model": FromItem("learnt")}),),
        reserve=asked("more-", more, workbench.reserve(size["requests"])),
        paired=True,
    )
    lengths = {
        request.item: float(np.linalg.norm(np.asarray(request.arguments["vector"])))
        for request in (*serve.requests, *serve.reserve)
        if not request.warmup
    }
    learn = Stage("learn", (Request("learnt", "learn", {"width": width}, BlobSpec(width * width * 4)),))
    return Instance((learn, serve), {"lengths": lengths}, facts={"width": width, "loops": loops})


def evaluate(instance: Instance, answers: Mapping[str, Answer]) -> Evaluation:
    """The share of answers as long as their vector: the matrix is orthogonal."""
    lengths: Mapping[str, float] = instance.hidden["lengths"]
    given = [item for item in lengths if item in answers]
    right = np.array(
        [abs(float(np.linalg.norm(np.asarray(answers[i]))) / lengths[i] - 1) < 0.01 for i in given],
        dtype=float,
    )
    if right.mean() < 0.9:
        raise Fault("wrong", f"{1 - right.mean():.0%} of the answers are not products with the matrix")
    draws = bootstrap_draws(right)
    low, high = percentile_interval(draws)
    return Evaluation(
        (
            Measurement(
                name="right",
                unit="",
                direction="higher",
                value=float(right.mean()),
                low=low,
                high=high,
                draws=tuple(draws),
            ),
        )
    )
