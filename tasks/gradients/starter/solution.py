"""A start that runs: every forward pass as on the blackboard, and zeros for the gradients, which are yours."""

import numpy as np


class Solution:
    def __init__(self, context):
        pass

    def cross_entropy(self, logits, targets, smoothing):
        n, classes = logits.shape
        wanted = np.full((n, classes), smoothing / classes, dtype=np.float32)
        wanted[np.arange(n), targets] += np.float32(1 - smoothing)
        answer = np.zeros((n, 1 + classes), dtype=np.float32)
        answer[:, 0] = -(wanted * np.log(softmax(logits) + np.float32(1e-12))).sum(axis=1)
        return answer

    def focal(self, logits, targets, gamma):
        margin = np.where(targets == 1, logits, -logits)
        p = 1 / (1 + np.exp(-np.clip(margin, -80, 80)))
        answer = np.zeros((2, len(logits)), dtype=np.float32)
        answer[0] = -((1 - p) ** gamma) * np.log(p + np.float32(1e-12))
        return answer

    def info_nce(self, queries, keys, temperature):
        n, width = queries.shape
        q = queries / np.sqrt((queries**2).sum(axis=1, keepdims=True))
        k = keys / np.sqrt((keys**2).sum(axis=1, keepdims=True))
        answer = np.zeros((n, 1 + 2 * width), dtype=np.float32)
        answer[:, 0] = -np.log(np.diag(softmax(q @ k.T / temperature)) + np.float32(1e-12))
        return answer

    def layer_norm(self, x, weight, bias, eps, upstream):
        n, width = x.shape
        answer = np.zeros((2 * n + 2, width), dtype=np.float32)
        mean = x.mean(axis=1, keepdims=True)
        variance = np.maximum((x**2).mean(axis=1, keepdims=True) - mean**2, 0)
        answer[:n] = (x - mean) / np.sqrt(variance + eps) * weight + bias
        return answer

    def attention(self, queries, keys, values, upstream):
        answer = np.zeros((4, *queries.shape), dtype=np.float32)
        answer[0] = softmax(queries @ keys.T / np.sqrt(queries.shape[1])) @ values
        return answer


def softmax(rows):
    powers = np.exp(rows - rows.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
