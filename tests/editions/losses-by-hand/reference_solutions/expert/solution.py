"""Expert: double precision, and every small quantity is summed from small terms.

The winner's own term of a softmax is 1 exactly, what the others hold is a sum of small terms: 1 - p = others / (1 +
others), -log p = log1p(others). A power of p near 1 is taken by expm1 of its logarithm.
"""

import numpy as np

WIDE = np.float64


class Solution:
    def __init__(self, context):
        pass

    def power_loss(self, logits, targets, exponent):
        loss, _, slope = surprise(logits, targets)
        return joined(-np.expm1(-exponent * loss) / exponent, np.exp(-exponent * loss)[:, None] * slope)

    def poly_loss(self, logits, targets, epsilon):
        loss, unsure, slope = surprise(logits, targets)
        return joined(loss + epsilon * unsure, slope * (1 + epsilon * np.exp(-loss))[:, None])

    def soft_margin(self, logits, targets, sharpness):
        side = np.where(targets == 1, WIDE(1), WIDE(-1))
        margin = WIDE(sharpness) * (side * logits.astype(WIDE))
        small = np.exp(-np.abs(margin))
        loss = (np.maximum(-margin, 0) + np.log1p(small)) / WIDE(sharpness)
        slope = -side * np.where(margin > 0, small, 1) / (1 + small)
        return np.stack([loss, slope]).astype(np.float32)


def surprise(logits, targets):
    """-log p [n], 1 - p [n], and the gradient of -log p [n, c]."""
    wide, rows = logits.astype(WIDE), np.arange(len(logits))
    gaps = wide - wide[rows, targets, None]
    most = gaps.max(axis=1)
    shares = np.exp(gaps - most[:, None])
    own = shares[rows, targets]
    shares[rows, targets] = 0
    others = rest(own, shares)
    total = own + others
    loss = np.where(most > 0, most + np.log(total), np.log1p(others))
    shares[rows, targets] = -others
    return loss, others / total, shares / total[:, None]


def rest(own, shares):
    """What the others hold, from their own terms."""
    return shares.sum(axis=1)


def joined(loss, slope):
    return np.concatenate([loss[:, None], slope], axis=1).astype(np.float32)
