"""Textbook formulas in the widest floating-point type there is, in place of thinking about them."""

import numpy as np


class Solution:
    def __init__(self, context):
        pass

    def cross_entropy(self, logits, targets, smoothing):
        n, classes = logits.shape
        wanted = np.full((n, classes), np.longdouble(smoothing) / classes)
        wanted[np.arange(n), targets] += 1 - np.longdouble(smoothing)
        log_p = log_softmax(wide(logits))
        loss = -(wanted * log_p).sum(axis=1, keepdims=True)
        return np.concatenate([loss, np.exp(log_p) - wanted], axis=1).astype(np.float32)

    def focal(self, logits, targets, gamma):
        side = np.where(targets == 1, 1, -1)
        log_p = -np.logaddexp(np.longdouble(0), -side * wide(logits))
        p = np.exp(log_p)
        rest = np.maximum(1 - p, np.finfo(np.longdouble).tiny)
        slope = side * (gamma * rest**gamma * log_p * p - rest ** (gamma + np.longdouble(1)))
        return np.stack([-(rest**gamma) * log_p, slope]).astype(np.float32)

    def info_nce(self, queries, keys, temperature):
        q, k = wide(queries), wide(keys)
        far_q, far_k = (np.sqrt((part * part).sum(axis=1, keepdims=True)) for part in (q, k))
        q, k = q / far_q, k / far_k
        log_p = log_softmax(q @ k.T / np.longdouble(temperature))
        slope = (np.exp(log_p) - np.eye(len(q))) / np.longdouble(temperature)
        to_q, to_k = slope @ k, slope.T @ q
        to_q = (to_q - q * (q * to_q).sum(axis=1, keepdims=True)) / far_q
        to_k = (to_k - k * (k * to_k).sum(axis=1, keepdims=True)) / far_k
        return np.concatenate([-np.diag(log_p)[:, None], to_q, to_k], axis=1).astype(np.float32)

    def layer_norm(self, x, weight, bias, eps, upstream):
        v, g = wide(x), wide(upstream)
        scale = 1 / np.sqrt(v.var(axis=1, keepdims=True) + eps)
        normal, inner = (v - v.mean(axis=1, keepdims=True)) * scale, g * weight
        slope = inner - inner.mean(axis=1, keepdims=True)
        slope = (slope - normal * (inner * normal).mean(axis=1, keepdims=True)) * scale
        ends = np.stack([(g * normal).sum(axis=0), g.sum(axis=0)])
        return np.concatenate([normal * weight + bias, slope, ends]).astype(np.float32)

    def attention(self, queries, keys, values, upstream):
        q, k, v, g = (wide(part) for part in (queries, keys, values, upstream))
        rate = 1 / np.sqrt(np.longdouble(q.shape[1]))
        p = np.exp(log_softmax(q @ k.T * rate))
        arriving = g @ v.T
        slope = p * (arriving - (p * arriving).sum(axis=1, keepdims=True)) * rate
        return np.stack([p @ v, slope @ k, slope.T @ q, p.T @ g]).astype(np.float32)


def wide(array):
    return array.astype(np.longdouble)


def log_softmax(rows):
    shifted = rows - rows.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
