"""toy-free: the squares of fresh numbers modulo 97, asked for once; judged by correctness alone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from harness.instances import Answer, ArraySpec, Evaluation, Instance, Request, Stage, Workbench
from harness.measures.quality import correct
from harness.records import Measurement


def prepare(workbench: Workbench) -> Instance:
    """Numbers drawn by seed; the squares stay hidden."""
    n = int(workbench.size["n"])
    numbers = workbench.rng("numbers").integers(0, 10_000, size=n)
    request = Request("squares", "answer", {"numbers": numbers}, ArraySpec("int64", (n,), low=0, high=96))
    return Instance((Stage("main", (request,)),), {"squares": numbers * numbers % 97}, facts={"numbers": n})


def evaluate(instance: Instance, answers: Mapping[str, Answer]) -> Evaluation:
    """The share of right answers, exact for these numbers."""
    right = correct(np.asarray(answers["squares"]), instance.hidden["squares"])
    share = float(right.mean())
    found = Measurement(name="accuracy", unit="", direction="higher", value=share, low=share, high=share)
    return Evaluation((found,))
