"""Each scored answer and whether it is wrong, so that submissions' errors can be compared; no score comes of it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from harness.instances import Answer, Instance, ItemAnswers


def items(instance: Instance, answers: Mapping[str, Answer]) -> ItemAnswers:
    """The predicted class of each test text, collection after collection, budget after budget."""
    given, wrong = [], []
    for name, labels in instance.hidden["labels"].items():
        for budget in instance.hidden["budgets"]:
            parts, at = [], 0
            while at < len(labels):
                part = np.asarray(answers[f"{name}-{budget}-{len(parts)}"], dtype=np.int64)
                parts.append(part)
                at += len(part)
            given.append(np.concatenate(parts))
            wrong.append(given[-1] != labels)
    return ItemAnswers(np.concatenate(given), np.concatenate(wrong))
