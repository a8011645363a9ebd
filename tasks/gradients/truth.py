"""The truth of gradients, from the exact float32 inputs, in double precision by formulas that do not cancel.

Right to eleven digits or more, four beyond what float32 can tell: the tests hold it against arithmetic of
60 digits. Each function gives back the blocks of an answer, in the contract's order; a block's rows are
what errors are measured by.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Wide = NDArray[np.float64]
Blocks = list[Wide]


def wide(array: NDArray[Any]) -> Wide:
    """The same values, float64."""
    return array.astype(np.float64)


def cross_entropy(logits: NDArray[np.float32], targets: NDArray[np.int64], smoothing: float) -> Blocks:
    """Losses [n, 1] and gradients [n, c]."""
    z, rows, s = wide(logits), np.arange(len(logits)), smoothing
    loss, slope = surprise(z, targets)
    loss = loss - s * (z - z[rows, targets, None]).mean(axis=1)
    slope = slope - s / z.shape[1]
    slope[rows, targets] += s
    return [loss[:, None], slope]


def surprise(z: Wide, targets: NDArray[np.int64]) -> tuple[Wide, Wide]:
    """-log softmax(z)[target] of each row, and softmax(z) less the target's indicator; no p is taken from 1."""
    rows = np.arange(len(z))
    ahead = z - z[rows, targets, None]
    ahead[rows, targets] = -np.inf
    most = np.maximum(ahead.max(axis=1), 0)
    others = np.exp(ahead - most[:, None])
    sum_of_others = others.sum(axis=1)
    own = np.exp(-most)
    loss = np.where(most > 0, most + np.log(own + sum_of_others), np.log1p(sum_of_others))
    slope = others / (own + sum_of_others)[:, None]
    slope[rows, targets] = -sum_of_others / (own + sum_of_others)
    return loss, slope


def focal(logits: NDArray[np.float32], targets: NDArray[np.int64], gamma: float) -> Blocks:
    """Losses [n, 1] and derivatives [n, 1]: each logit is a row of its own."""
    sign, g = np.where(targets == 1, 1, -1), gamma
    margin = sign * wide(logits)
    small = np.exp(-np.abs(margin))
    rest = np.where(margin > 0, small, 1) / (1 + small)  # 1 - p
    p = np.where(margin > 0, 1, small) / (1 + small)
    surprised = np.where(margin > 0, np.log1p(small), np.log1p(small) - margin)
    slope = -sign * (rest ** (g + 1) + g * rest**g * p * surprised)
    return [(rest**g * surprised)[:, None], slope[:, None]]


def info_nce(queries: NDArray[np.float32], keys: NDArray[np.float32], temperature: float) -> Blocks:
    """Losses [n, 1], gradients of the queries [n, d] and of the keys [n, d]."""
    q, k, t = wide(queries), wide(keys), temperature
    far_q, far_k = (np.sqrt((part * part).sum(axis=1, keepdims=True)) for part in (q, k))
    q, k = q / far_q, k / far_k
    loss, slope = surprise(q @ k.T / t, np.arange(len(q)))
    to_q, to_k = slope @ k / t, slope.T @ q / t
    to_q = to_q - q * (q * to_q).sum(axis=1, keepdims=True)
    to_k = to_k - k * (k * to_k).sum(axis=1, keepdims=True)
    return [loss[:, None], to_q / far_q, to_k / far_k]


def layer_norm(
    x: NDArray[np.float32],
    weight: NDArray[np.float32],
    bias: NDArray[np.float32],
    eps: float,
    upstream: NDArray[np.float32],
) -> Blocks:
    """Outputs [n, d], gradients of x [n, d], of the weight [1, d] and of the bias [1, d]."""
    v, w, b, g = (wide(part) for part in (x, weight, bias, upstream))
    centred = v - v.mean(axis=1, keepdims=True)
    scale = 1 / np.sqrt((centred * centred).mean(axis=1, keepdims=True) + eps)
    normal, inner = centred * scale, g * w
    inner_centred = inner - inner.mean(axis=1, keepdims=True)
    slope = scale * (inner_centred - normal * (inner_centred * normal).mean(axis=1, keepdims=True))
    return [normal * w + b, slope, (g * normal).sum(axis=0)[None], g.sum(axis=0)[None]]


def attention(
    queries: NDArray[np.float32],
    keys: NDArray[np.float32],
    values: NDArray[np.float32],
    upstream: NDArray[np.float32],
) -> Blocks:
    """Outputs and gradients of queries, keys and values, [n, d] each."""
    q, k, v, g = (wide(part) for part in (queries, keys, values, upstream))
    rate = 1 / np.sqrt(q.shape[1])
    scores = q @ k.T * rate
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    p = p / p.sum(axis=1, keepdims=True)
    arriving = g @ v.T
    # A gradient of the softmax knows what arrives only up to a constant: counted from the winner's, every
    # product is small where its weight is, and the winner's own slope is minus what the others' are.
    arriving = arriving - np.take_along_axis(arriving, p.argmax(axis=1)[:, None], axis=1)
    slope = p * (arriving - (p * arriving).sum(axis=1, keepdims=True)) * rate
    return [p @ v, slope @ k, slope.T @ q, p.T @ g]


TRUTHS = {
    "cross_entropy": cross_entropy,
    "focal": focal,
    "info_nce": info_nce,
    "layer_norm": layer_norm,
    "attention": attention,
}
