"""A start that runs: cross-entropy as on the blackboard, zeros for all that is not written yet."""

import numpy as np


class Solution:
    def __init__(self, context):
        pass

    def cross_entropy(self, logits, targets, smoothing):
        n, classes = logits.shape
        wanted = np.full((n, classes), smoothing / classes, dtype=np.float32)
        wanted[np.arange(n), targets] += np.float32(1 - smoothing)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        p = powers / powers.sum(axis=1, keepdims=True)
        answer = np.zeros((n, 1 + classes), dtype=np.float32)
        answer[:, 0] = -(wanted * np.log(p + np.float32(1e-12))).sum(axis=1)
        answer[:, 1:] = p - wanted
        return answer

    def focal(self, logits, targets, gamma):
        return np.zeros((2, len(logits)), dtype=np.float32)

    def info_nce(self, queries, keys, temperature):
        return np.zeros((len(queries), 1 + 2 * queries.shape[1]), dtype=np.float32)

    def layer_norm(self, x, weight, bias, eps, upstream):
        return np.zeros((2 * len(x) + 2, x.shape[1]), dtype=np.float32)

    def attention(self, queries, keys, values, upstream):
        return np.zeros((4, *queries.shape), dtype=np.float32)
