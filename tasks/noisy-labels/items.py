"""Each scored answer and whether it is wrong, so that submissions' errors can be compared; no score comes of it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from harness.instances import Answer, Instance, ItemAnswers


def items(instance: Instance, answers: Mapping[str, Answer]) -> ItemAnswers:
    """The predicted class of each scored text that was asked for."""
    labels = {item: truth for item, truth in instance.hidden["labels"].items() if item in answers}
    given = np.concatenate([np.asarray(answers[item], dtype=np.int64) for item in labels])
    return ItemAnswers(given, given != np.concatenate(list(labels.values())))
