"""toy-pairs: toy-squares with a stage that is served by fresh process pairs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

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
from harness.measures.quality import correct
from harness.measures.stats import bootstrap_draws, percentile_interval
from harness.records import Measurement

NUMBERS = 50
WARMUPS = 3


def prepare(workbench: Workbench) -> Instance:
    """Numbers drawn by seed, so many requests for each pair; the squares stay hidden."""
    per_pair, pairs = int(workbench.size["requests"]), workbench.pairs
    spare = max(0, workbench.max_pairs - pairs)
    rows = workbench.rng("numbers").integers(
        1, 10_000, size=((per_pair + WARMUPS) * (pairs + spare), NUMBERS)
    )
    ends = np.cumsum([WARMUPS * pairs, per_pair * pairs, WARMUPS * spare, per_pair * spare])
    warm, base, warm_more, more = np.split(rows, ends[:-1])
    requests = (*asking("warm", warm, warmup=True), *asking("q", base))
    reserve = (*asking("warm-more", warm_more, warmup=True), *asking("more", more))
    hidden = {
        r.item: np.asarray(r.arguments["numbers"]) ** 2 % 97 for r in (*requests, *reserve) if not r.warmup
    }
    learn = Request("notes", "learn", {"numbers": np.arange(NUMBERS)}, BlobSpec(64))
    load = Request("loaded", "load", {"notes": FromItem("notes")}, group="ready")
    stages = (Stage("learn", (learn,)), Stage("serve", requests, each=(load,), reserve=reserve, paired=True))
    return Instance(stages, hidden, facts={"numbers": NUMBERS * len(base)})


def asking(name: str, rows: np.ndarray, warmup: bool = False) -> list[Request]:
    """One timed request for each row."""
    spec = ArraySpec("int64", (NUMBERS,), low=0, high=96)
    return [
        Request(
            f"{name}-{i}",
            "answer",
            {"numbers": row},
            spec,
            group="answer",
            timed=True,
            warmup=warmup,
            count=NUMBERS,
        )
        for i, row in enumerate(rows)
    ]


def evaluate(instance: Instance, answers: Mapping[str, Answer]) -> Evaluation:
    """The share of right answers among those given."""
    given = [item for item in instance.hidden if item in answers]
    right = np.concatenate([correct(np.asarray(answers[i]), instance.hidden[i]) for i in given])
    draws = bootstrap_draws(right)
    low, high = percentile_interval(draws)
    accuracy = Measurement(
        name="accuracy",
        unit="",
        direction="higher",
        value=float(right.mean()),
        low=low,
        high=high,
        draws=tuple(draws),
    )
    return Evaluation((accuracy,))
