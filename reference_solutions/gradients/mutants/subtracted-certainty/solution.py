"""The expert less sums of small terms in gradients: 1 - p is subtracted, losses stay exact."""

import expert
import numpy as np

exact_chances, exact_surprise = expert.chances, expert.surprise


def chances(margin, small):
    """1 - p as it stands in the formula."""
    sure, _ = exact_chances(margin, small)
    return sure, 1.0 - sure


def surprise(gaps, targets):
    """The target's entry as p - 1, its p from the loss."""
    loss, slope = exact_surprise(gaps, targets)
    slope[np.arange(len(gaps)), targets] = np.exp(-loss) - 1.0
    return loss, slope


expert.chances, expert.surprise = chances, surprise
expert.from_winner = lambda arriving, winner: arriving
Solution = expert.Solution
