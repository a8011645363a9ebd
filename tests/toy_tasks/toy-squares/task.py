"""toy-squares: the squares of fresh numbers, modulo 97."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from harness.errors import Fault
from harness.instances import Answer, ArraySpec, BlobSpec, Evaluation, Instance, Request, Stage, Workbench
from harness.measures.quality import correct
from harness.measures.stats import bootstrap_draws, percentile_interval
from harness.records import Measurement, Series


def prepare(workbench: Workbench) -> Instance:
    """Numbers drawn by seed; the squares stay hidden."""
    n, count = int(workbench.size["n"]), int(workbench.size["requests"])
    numbers = workbench.rng("numbers").integers(0, 10_000, size=(count, n))
    spec = ArraySpec("int64", (n,), low=0, high=96)
    requests = [Request("learn", "learn", {"numbers": numbers[0]}, BlobSpec(4096))]
    requests += [
        Request(f"q{i}", "answer", {"numbers": row}, spec, timed=True, count=n)
        for i, row in enumerate(numbers)
    ]
    hidden = {f"q{i}": row * row % 97 for i, row in enumerate(numbers)}
    return Instance((Stage("main", tuple(requests)),), hidden, facts={"numbers": n * count})


def evaluate(instance: Instance, answers: Mapping[str, Answer]) -> Evaluation:
    """The share of right answers; all zeros is no attempt."""
    right = np.concatenate(
        [correct(np.asarray(answers[item]), wanted) for item, wanted in instance.hidden.items()]
    )
    if not any(np.any(np.asarray(answers[item])) for item in instance.hidden):
        raise Fault("wrong", "every answer is 0, which is no attempt")
    draws = bootstrap_draws(right)
    low, high = percentile_interval(draws)
    share = Measurement(
        name="accuracy",
        unit="",
        direction="higher",
        value=float(right.mean()),
        low=low,
        high=high,
        draws=tuple(draws),
    )
    room = Measurement(name="room_bytes", unit="B", direction="neither", value=4096, low=4096, high=4096)
    curve = Series(
        name="right so far", x_label="request", y_label="accuracy", x=(1.0, 2.0), y=(0.5, float(right.mean()))
    )
    return Evaluation((share, room), (curve,))
