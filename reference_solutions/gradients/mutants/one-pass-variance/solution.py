"""The expert with the variance in one pass: the mean of squares less the square of the mean."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


class Solution:
    """Stable forms of all five operations, fused forward and backward."""

    def __init__(self, context: Any) -> None:
        pass

    def cross_entropy(self, logits: Floats, targets: NDArray[np.int64], smoothing: float) -> Floats:
        """Smoothed loss = own loss + smoothing * (target's logit - mean logit)."""
        n, classes = logits.shape
        rows = np.arange(n)
        wide = logits.astype(np.float64)
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
        side = np.where(targets == 1, 1.0, -1.0)
        margin = side * logits
        small = np.exp(-np.abs(margin))  # never overflows
        share = 1.0 / (1.0 + small)
        unsure = np.where(margin > 0, small, 1.0) * share
        sure = np.where(margin > 0, 1.0, small) * share
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
        centred = x.astype(np.float64)
        centred -= centred.mean(axis=1, keepdims=True)
        mean = x.mean(axis=1, dtype=np.float64, keepdims=True)
        square = np.einsum("ij,ij->i", x, x, dtype=np.float64)[:, None] / width
        variance = np.maximum(square - mean * mean, 0.0)
        scale = 1.0 / np.sqrt(variance + eps)
        normal = centred * scale
        arriving = upstream.astype(np.float64)
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
        q, k, v, g = (part.astype(np.float64) for part in (queries, keys, values, upstream))
        rate = 1.0 / np.sqrt(q.shape[1])
        scores = (q @ k.T) * rate
        winner = scores.argmax(axis=1)
        rows = np.arange(len(q))
        weights = np.exp(scores - scores[rows, winner, None])
        weights /= weights.sum(axis=1, keepdims=True)
        arriving = g @ v.T
        arriving -= arriving[rows, winner, None]  # the winner's own is now exactly 0
        mean = np.einsum("ij,ij->i", weights, arriving)[:, None]
        slope = weights * (arriving - mean) * rate
        return np.stack([weights @ v, slope @ k, slope.T @ q, weights.T @ g]).astype(np.float32)


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
    wide = rows.astype(np.float64)
    lengths = np.sqrt(np.einsum("ij,ij->i", wide, wide))[:, None]
    return wide / lengths, lengths


def across(units: Doubles, slope: Doubles) -> Doubles:
    """The part of each row of `slope` that is orthogonal to the unit row: the length changes nothing."""
    return slope - units * np.einsum("ij,ij->i", units, slope)[:, None]
