"""Each scored answer and whether it is wrong, so that submissions' errors can be compared; no score comes of it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from harness.instances import Answer, Instance, ItemAnswers


def items(instance: Instance, answers: Mapping[str, Answer]) -> ItemAnswers:
    """The first passage for each timed query; wrong is one that does not answer it."""
    relevant = instance.hidden["relevant"]
    first = [int(np.asarray(answers[f"query-{i}"]).ravel()[0]) for i in range(len(relevant))]
    wrong = [passage not in grades for passage, grades in zip(first, relevant, strict=True)]
    return ItemAnswers(np.array(first, dtype=np.int64), np.array(wrong, dtype=np.bool_))
