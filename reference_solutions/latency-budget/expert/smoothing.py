"""Moves the activations' outliers into the weights before both become int8 (SmoothQuant, arXiv 2211.10438).

An int8 product gives the whole input one scale. In BERT a few channels are ten times larger than the rest,
so that the rest is left with a few steps. Dividing each channel by a factor and multiplying its row of the
weights by the same factor changes nothing in exact arithmetic, and evens the channels out. The factors come
from the calibration texts.
"""

from __future__ import annotations

import numpy as np
from fused import Array, Shape

STRENGTH = 0.85  # 0: all of the difficulty stays in the activations; 1: all of it goes into the weights
SMOOTHED = ("qkv", "up", "down")
FLOOR = 1e-3


def smoothed(shape: Shape, weights: dict[str, Array], tokens: list[list[int]]) -> dict[str, Array]:
    """The weights with factors multiplied in, and `<name>.factor`, by which the engine multiplies the input."""
    result = dict(weights)
    for name, peak in _channel_peaks(shape, weights, tokens).items():
        rows = np.abs(weights[f"{name}.weight"]).max(axis=1)
        factor = np.maximum(peak, FLOOR) ** STRENGTH / np.maximum(rows, FLOOR) ** (1.0 - STRENGTH)
        factor /= np.exp(np.log(factor).mean())
        result[f"{name}.weight"] = (weights[f"{name}.weight"] * factor[:, None]).astype(np.float32)
        result[f"{name}.factor"] = (1.0 / factor).astype(np.float32)
    return result


def _channel_peaks(shape: Shape, weights: dict[str, Array], tokens: list[list[int]]) -> dict[str, Array]:
    """The largest magnitude of each input channel of each smoothed product, over all texts."""
    peaks: dict[str, Array] = {}
    for ids in tokens:
        for name, x in _inputs(shape, weights, ids):
            peak = np.abs(x).max(axis=0)
            peaks[name] = np.maximum(peaks[name], peak) if name in peaks else peak
    return peaks


def _inputs(shape: Shape, weights: dict[str, Array], ids: list[int]) -> list[tuple[str, Array]]:
    """The inputs of the smoothed products for one text: a plain forward pass in numpy."""
    met = []

    def dense(x: Array, name: str) -> Array:
        if name.partition(".")[2] in SMOOTHED:
            met.append((name, x))
        return x @ weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def norm(x: Array, name: str) -> Array:
        centred = x - x.mean(axis=-1, keepdims=True)
        spread = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + shape.epsilon)
        return centred / spread * weights[f"{name}.gain"] + weights[f"{name}.shift"]

    x = norm(weights["words"][ids] + weights["positions"][: len(ids)], "norm")
    for layer in range(shape.layers):
        q, k, v = dense(x, f"{layer}.qkv").reshape(len(ids), 3, shape.heads, -1).transpose(1, 2, 0, 3)
        scores = q @ k.transpose(0, 2, 1)
        share = np.exp(scores - scores.max(axis=-1, keepdims=True))
        context = (share / share.sum(axis=-1, keepdims=True)) @ v
        x = norm(
            x + dense(context.transpose(1, 0, 2).reshape(len(ids), -1), f"{layer}.mix"), f"{layer}.norm1"
        )
        x = norm(x + dense(_gelu(dense(x, f"{layer}.up")), f"{layer}.down"), f"{layer}.norm2")
    return met


def _gelu(x: Array) -> Array:
    """The tanh form: numpy has no erf, and a peak does not need one."""
    return 0.5 * x * (1.0 + np.tanh(0.7978845608 * (x + 0.044715 * x * x * x)))
