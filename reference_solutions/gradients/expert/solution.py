"""Expert: every small quantity is summed from small terms, never left over when two large ones cancel.

Double precision inside removes what single precision would round away, and no more: where a softmax
is sure, the target's probability is 1 to all sixteen digits and `1 - p` is 0. Three ideas do the rest:

1.  A softmax knows its logits only up to a constant. Counted from the winner (or the target), the
    winner's own term is exactly 1, and what the others hold is a sum of small terms: loss = log1p(others)
    and 1 - p = others / (1 + others), accurate however small they are.
2.  The gradient of a softmax sums to zero along the row, so the entry of the winner is minus the sum of
    the others. In attention the same is had by counting the incoming gradient from the winner's.
3.  What is to be squared is centred first: the mean of squares less the square of the mean would have
    to tell 1e8 from 1e8 + 1e-6.

Powers are combined before they are formed: (1 - p)^gamma (1 - p + gamma p loss) has no 0^negative.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
WIDE = np.float64  # what is computed in


class Solution:
    """Stable forms of all five operations, fused forward and backward."""

    def __init__(self, context: Any) -> None:
        pass

    def cross_entropy(self, logits: Floats, targets: NDArray[np.int64], smoothing: float) -> Floats:
        """Smoothed loss = own loss + smoothing * (target's logit - mean logit)."""
        n, classes = logits.shape
        rows = np.arange(n)
        wide = logits.astype(WIDE)
        gaps = wide - wide[rows, targets, None]
        loss, slope = surprise(gaps, targets)
        slope -= smoothing / classes
        slope[rows, targets] += smoothing
        answer = np.empty((n, 1 + classes), dtype=np.float32)
        answer[:, 0] = loss - smoothing * gaps.mean(axis=1)
        answer[:, 1:] = slope
        return answer

    def focal(self, logits: Floats, targets: NDArray[np.int64], gamma: float) -> Floats:
        """With margin m towards the target: 1 - p = sigmoid(-m), -log p = log1p(exp(-m))."""
        side = np.where(targets == 1, WIDE(1), WIDE(-1))
        margin = side * logits
        small = np.exp(-np.abs(margin))  # never overflows
        sure, unsure = chances(margin, small)
        loss = np.maximum(-margin, 0.0) + np.log1p(small)
        weight = unsure**gamma
        return np.stack([weight * loss, -side * weight * (unsure + gamma * sure * loss)]).astype(np.float32)

    def info_nce(self, queries: Floats, keys: Floats, temperature: float) -> Floats:
        """Cosines, then cross-entropy with the diagonal as targets, then back through both lengths."""
        n, width = queries.shape
        unit_q, length_q = unit(queries)
        unit_k, length_k = unit(keys)
        scores = (unit_q @ unit_k.T) / temperature
        own = np.arange(n)
        loss, slope = surprise(scores - scores[own, own, None], own)
        slope /= temperature
        answer = np.empty((n, 1 + 2 * width), dtype=np.float32)
        answer[:, 0] = loss
        answer[:, 1 : 1 + width] = across(unit_q, slope @ unit_k) / length_q
        answer[:, 1 + width :] = across(unit_k, slope.T @ unit_q) / length_k
        return answer

    def layer_norm(self, x: Floats, weight: Floats, bias: Floats, eps: float, upstream: Floats) -> Floats:
        """Centred, then squared; the gradient less its mean and less its part along the normalised row."""
        n, width = x.shape
        centred, variance = spread(x)
        scale = 1.0 / np.sqrt(variance + eps)
        normal = centred * scale
        arriving = upstream.astype(WIDE)
        inner = arriving * weight
        inner -= inner.mean(axis=1, keepdims=True)
        along = np.einsum("ij,ij->i", inner, normal)[:, None] / width
        answer = np.empty((2 * n + 2, width), dtype=np.float32)
        answer[:n] = normal * weight + bias
        answer[n : 2 * n] = (inner - normal * along) * scale
        answer[2 * n] = np.einsum("ij,ij->j", arriving, normal)
        answer[2 * n + 1] = arriving.sum(axis=0)
        return answer

    def attention(self, queries: Floats, keys: Floats, values: Floats, upstream: Floats) -> Floats:
        """The softmax's backward pass, with the incoming gradient counted from the winner's."""
        q, k, v, g = (part.astype(WIDE) for part in (queries, keys, values, upstream))
        rate = WIDE(1.0 / np.sqrt(q.shape[1]))
        scores = (q @ k.T) * rate
        winner = scores.argmax(axis=1)
        rows = np.arange(len(q))
        weights = np.exp(scores - scores[rows, winner, None])
        weights /= weights.sum(axis=1, keepdims=True)
        arriving = from_winner(g @ v.T, winner)
        mean = np.einsum("ij,ij->i", weights, arriving)[:, None]
        slope = weights * (arriving - mean) * rate
        return np.stack([weights @ v, slope @ k, slope.T @ q, weights.T @ g]).astype(np.float32)


def chances(margin: Doubles, small: Doubles) -> tuple[Doubles, Doubles]:
    """p and 1 - p of the target, each from its own small term; `small` is exp(-|margin|)."""
    share = 1.0 / (1.0 + small)
    return np.where(margin > 0, 1.0, small) * share, np.where(margin > 0, small, 1.0) * share


def spread(x: Floats) -> tuple[Doubles, Doubles]:
    """Rows less their mean, float64[n, d], and the mean of their squares, float64[n, 1]."""
    centred = x.astype(WIDE)
    centred -= centred.mean(axis=1, keepdims=True)
    return centred, np.einsum("ij,ij->i", centred, centred)[:, None] / x.shape[1]


def from_winner(arriving: Doubles, winner: NDArray[np.int64]) -> Doubles:
    """Each row counted from its winner's entry, which is exactly 0 then."""
    return arriving - arriving[np.arange(len(arriving)), winner, None]


def surprise(gaps: Doubles, targets: NDArray[np.int64]) -> tuple[Doubles, Doubles]:
    """Loss float64[n] and its gradient float64[n, c] of a softmax, from logits less the target's.

    With m the largest gap (at least 0, the target's own): loss = m + log(sum exp(gap - m)). Where the
    target wins, m is 0 and the target's term is 1, so that the loss is log1p of the others.
    """
    rows = np.arange(len(gaps))
    most = gaps.max(axis=1)
    shares = np.exp(gaps - most[:, None])
    own = shares[rows, targets]
    shares[rows, targets] = 0.0
    others = shares.sum(axis=1)
    total = own + others
    loss = np.where(most > 0, most + np.log(total), np.log1p(others))
    shares[rows, targets] = -others
    shares /= total[:, None]
    return loss, shares


def unit(rows: Floats) -> tuple[Doubles, Doubles]:
    """Rows of length 1, float64[n, d], and the lengths they had, float64[n, 1]."""
    wide = rows.astype(WIDE)
    lengths = np.sqrt(np.einsum("ij,ij->i", wide, wide))[:, None]
    return wide / lengths, lengths


def across(units: Doubles, slope: Doubles) -> Doubles:
    """The part of each row of `slope` that is orthogonal to the unit row: the length changes nothing."""
    return slope - units * np.einsum("ij,ij->i", units, slope)[:, None]
