"""The expert less the inference: every paragraph is taken for evidence of any label that one of its documents has."""

from __future__ import annotations

from collections.abc import Sequence

import expert
import numpy as np


def guilty(bags: Sequence[expert.Ints], marks: expert.Ints, n: int) -> expert.Floats:
    """float32[n, labels + 1]: 1 for each label of a document that holds the piece; background where none has any."""
    chances = np.zeros((n, marks.shape[1] + 1), np.float32)
    for bag, row in zip(bags, marks, strict=True):
        chances[bag, :-1] = np.maximum(chances[bag, :-1], row)
    chances[:, -1] = ~chances.any(axis=1)
    return chances


expert.candidates = guilty
Solution = expert.Solution
