"""Baseline: the formulas as textbooks print them, in single precision, mended wherever NaN came out.

The softmax is kept from overflowing, since everybody knows that one. All else is mended with the usual
small constants: log(p + 1e-12), a clipped logit, a variance that may not be negative.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
TINY = np.float32(1e-12)


class Solution:
    """Probabilities first, logarithms after; one pass over mean and square."""

    def __init__(self, context: Any) -> None:
        pass

    def cross_entropy(self, logits: Floats, targets: NDArray[np.int64], smoothing: float) -> Floats:
        """-sum q log p, and p - q."""
        n, classes = logits.shape
        wanted = np.full((n, classes), smoothing / classes, dtype=np.float32)
        wanted[np.arange(n), targets] += np.float32(1.0 - smoothing)
        p = softmax(logits)
        loss = -(wanted * np.log(p + TINY)).sum(axis=1, keepdims=True)
        return np.concatenate([loss, p - wanted], axis=1)

    def focal(self, logits: Floats, targets: NDArray[np.int64], gamma: float) -> Floats:
        """The sigmoid of a clipped logit, and the product rule."""
        side = np.where(targets == 1, np.float32(1), np.float32(-1))
        power = np.float32(gamma)
        p = 1 / (1 + np.exp(-np.clip(side * logits, -80, 80)))
        rest = np.maximum(1 - p, TINY)
        loss = -(rest**power) * np.log(p + TINY)
        slope = power * rest ** (power - 1) * np.log(p + TINY) - rest**power / (p + TINY)
        return np.stack([loss, side * slope * p * rest])

    def info_nce(self, queries: Floats, keys: Floats, temperature: float) -> Floats:
        """Cosines over the temperature, -log p of the diagonal, p - 1."""
        length_q = np.sqrt((queries**2).sum(axis=1, keepdims=True)) + TINY
        length_k = np.sqrt((keys**2).sum(axis=1, keepdims=True)) + TINY
        q, k = queries / length_q, keys / length_k
        p = softmax(q @ k.T / np.float32(temperature))
        loss = -np.log(np.diag(p) + TINY)[:, None]
        slope = (p - np.eye(len(q), dtype=np.float32)) / np.float32(temperature)
        to_q, to_k = slope @ k, slope.T @ q
        to_q = (to_q - q * (q * to_q).sum(axis=1, keepdims=True)) / length_q
        to_k = (to_k - k * (k * to_k).sum(axis=1, keepdims=True)) / length_k
        return np.concatenate([loss, to_q, to_k], axis=1)

    def layer_norm(self, x: Floats, weight: Floats, bias: Floats, eps: float, upstream: Floats) -> Floats:
        """Variance as the mean of squares less the square of the mean."""
        mean = x.mean(axis=1, keepdims=True)
        variance = np.maximum((x**2).mean(axis=1, keepdims=True) - mean**2, 0)
        scale = 1 / np.sqrt(variance + np.float32(eps))
        normal = (x - mean) * scale
        inner = upstream * weight
        slope = inner - inner.mean(axis=1, keepdims=True)
        slope = (slope - normal * (inner * normal).mean(axis=1, keepdims=True)) * scale
        ends = np.stack([(upstream * normal).sum(axis=0), upstream.sum(axis=0)])
        return np.concatenate([normal * weight + bias, slope, ends])

    def attention(self, queries: Floats, keys: Floats, values: Floats, upstream: Floats) -> Floats:
        """Softmax, and p * (gradient - mean gradient) on the way back."""
        rate = np.float32(1 / np.sqrt(queries.shape[1]))
        p = softmax(queries @ keys.T * rate)
        arriving = upstream @ values.T
        slope = p * (arriving - (p * arriving).sum(axis=1, keepdims=True)) * rate
        return np.stack([p @ values, slope @ keys, slope.T @ queries, p.T @ upstream])


def softmax(rows: Floats) -> Floats:
    """Each row's exponentials by their sum, float32[n, c]."""
    powers = np.exp(rows - rows.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
