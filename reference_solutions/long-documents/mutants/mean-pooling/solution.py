"""The expert with a mean over paragraphs in place of the likelihood ratio of a few: most of them drown the few."""

from __future__ import annotations

import expert


def mean(ratios: expert.Floats) -> expert.Floats:
    """float[pieces, labels] -> float[labels]."""
    return ratios.mean(axis=0)


expert.summed = mean
Solution = expert.Solution
