"""Each scored answer and whether it is wrong, so that submissions' errors can be compared; no score comes of it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from harness.instances import Answer, Instance, ItemAnswers


def items(instance: Instance, answers: Mapping[str, Answer]) -> ItemAnswers:
    """For each scored query which of its true neighbours were missed, as bits; wrong is one that misses any."""
    truth = {item: rows for item, rows in instance.hidden["truth"].items() if item in answers}
    given = np.concatenate([np.asarray(answers[item], dtype=np.int64) for item in truth])
    wanted = np.concatenate(list(truth.values()))
    missed = ~(wanted[:, :, np.newaxis] == given[:, np.newaxis, :]).any(axis=2)
    return ItemAnswers(missed @ (1 << np.arange(missed.shape[1])), missed.any(axis=1))
