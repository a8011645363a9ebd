"""The contract of gradients: the phases that a submission's `class Solution` has."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class Contract(Protocol):
    """Five operations, each forward and backward in one call; every value that comes back is finite.

    What comes in and goes out is float32 (float64 and lists of numbers are cast); what happens in between
    is up to you.
    """

    def __init__(self, context: Any) -> None: ...

    def cross_entropy(self, logits: Floats, targets: NDArray[np.int64], smoothing: float) -> Floats:
        """Label-smoothed cross-entropy of each row, and its gradient.

        logits      float32[n, c]
        targets     int64[n], 0 to c - 1
        smoothing   s, 0 to 0.2; may be as small as 1e-16

        loss[i] = -sum_k q[k] log p[k], p = softmax(logits[i]), q[k] = s / c + (1 - s) [k = targets[i]].
        Gives back float32[n, 1 + c]: loss[i], then d loss[i] / d logits[i].
        """
        ...

    def focal(self, logits: Floats, targets: NDArray[np.int64], gamma: float) -> Floats:
        """The binary focal loss of each logit (Lin et al. 2017, without alpha), and its derivative.

        logits      float32[n]
        targets     int64[n], 0 or 1
        gamma       0.25 to 3

        loss[i] = -(1 - p)^gamma log p, where p is the probability of the target:
        sigmoid(logits[i]) for target 1, 1 - sigmoid(logits[i]) for target 0.
        Gives back float32[2, n]: the losses, then d loss[i] / d logits[i].
        """
        ...

    def info_nce(self, queries: Floats, keys: Floats, temperature: float) -> Floats:
        """InfoNCE: each query's cross-entropy over all keys by cosine, and the gradients of the sum.

        queries     float32[n, d], rows of any length but 0
        keys        float32[n, d], the same; key i is the right one of query i, all others are wrong
        temperature 0.0005 to 0.5

        loss[i] = -log softmax_j(cos(queries[i], keys[j]) / temperature)[i].
        Gives back float32[n, 1 + 2 d]: loss[i], then d sum(loss) / d queries[i] and / d keys[i].
        """
        ...

    def layer_norm(self, x: Floats, weight: Floats, bias: Floats, eps: float, upstream: Floats) -> Floats:
        """Layer normalisation over the last axis, and its gradients.

        x           float32[n, d]
        weight      float32[d]
        bias        float32[d]
        eps         added to the (biased) variance, 1e-12 to 1e-5
        upstream    float32[n, d], the gradient of some loss L with respect to the output y

        y = (x - mean) / sqrt(variance + eps) * weight + bias, mean and variance of each row.
        Gives back float32[2 n + 2, d]: y, then dL/dx, then dL/dweight and dL/dbias in one row each.
        """
        ...

    def attention(self, queries: Floats, keys: Floats, values: Floats, upstream: Floats) -> Floats:
        """One head of softmax attention without a mask, and its gradients.

        queries, keys, values   float32[n, d]
        upstream                float32[n, d], the gradient of some loss L with respect to the output

        output = softmax(queries keys^T / sqrt(d)) values, softmax over keys.
        Gives back float32[4, n, d]: output, dL/dqueries, dL/dkeys, dL/dvalues.
        """
        ...
