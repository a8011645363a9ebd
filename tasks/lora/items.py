"""Each scored answer and whether it is wrong, so that submissions' errors can be compared; no score comes of it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from harness.instances import Answer, Instance, ItemAnswers


def items(instance: Instance, answers: Mapping[str, Answer]) -> ItemAnswers:
    """The class that the judge predicted with the submission's adapters for each text, problem after problem."""
    labels = instance.hidden["labels"]
    # A judge's answer begins with how it ended and a count of parameters.
    given = [np.asarray(answers[f"predicted-{i}"], dtype=np.int64)[2:] for i in range(len(labels))]
    wrong = [one != truth for one, truth in zip(given, labels, strict=True)]
    return ItemAnswers(np.concatenate(given), np.concatenate(wrong))
