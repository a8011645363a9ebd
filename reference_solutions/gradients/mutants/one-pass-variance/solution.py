"""The expert less centring before squaring: the mean of squares less the square of the mean."""

import expert
import numpy as np


def spread(x):
    """Rows less their mean, and their variance in one pass."""
    mean = x.mean(axis=1, dtype=np.float64, keepdims=True)
    square = np.einsum("ij,ij->i", x, x, dtype=np.float64)[:, None] / x.shape[1]
    return x - mean, np.maximum(square - mean * mean, 0.0)


expert.spread = spread
Solution = expert.Solution
