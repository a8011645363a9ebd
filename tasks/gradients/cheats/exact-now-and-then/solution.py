"""Fast on most calls, decimal arithmetic of 50 digits on the hardest quarter, where the median does not look."""

from decimal import Decimal, getcontext, localcontext

import numpy as np

getcontext().prec = 50
LEAST = -120.0  # a term below exp(-120) does not reach the fiftieth digit


class Solution:
    def __init__(self, context):
        pass

    def cross_entropy(self, logits, targets, smoothing):
        n, classes = logits.shape
        wanted = np.full((n, classes), smoothing / classes)
        wanted[np.arange(n), targets] += 1.0 - smoothing
        log_p = log_softmax(logits.astype(np.float64))
        loss = -(wanted * log_p).sum(axis=1, keepdims=True)
        answer = np.concatenate([loss, np.exp(log_p) - wanted], axis=1).astype(np.float32)
        own = np.arange(n), targets
        if smoothing == 0 and np.exp(log_p[own]).min() > 1 - 1e-6:
            for i in range(n):
                gaps = logits[i].astype(np.float64) - float(logits[own][i])
                powers = [Decimal(gap).exp() for gap in gaps[gaps > LEAST].tolist()]
                total = sum(powers)
                answer[i, 0] = float(total.ln() - Decimal(smoothing) * mean(logits[i], logits[own][i]))
                answer[i, 1 + targets[i]] = float(
                    1 / total - 1 + Decimal(smoothing) * (classes - 1) / classes
                )
        return answer

    def focal(self, logits, targets, gamma):
        side = np.where(targets == 1, 1.0, -1.0)
        log_p = -np.logaddexp(0.0, -side * logits.astype(np.float64))
        p = np.exp(log_p)
        rest = np.maximum(1.0 - p, np.finfo(np.float64).tiny)
        weight = rest**gamma
        slope = side * weight * (gamma * p * log_p - rest)
        answer = np.stack([-weight * log_p, slope]).astype(np.float32)
        if gamma < 1 and p.min() > 1 - 1e-3:
            with localcontext(prec=20):  # nothing cancels here
                for i, margin in enumerate((side * logits).tolist()):
                    small, power = Decimal(-margin).exp(), Decimal(gamma)
                    lost, left = (1 + small).ln(), small / (1 + small)
                    factor = (power * left.ln()).exp()
                    answer[0, i] = float(factor * lost)
                    answer[1, i] = -side[i] * float(factor * (left + power * lost / (1 + small)))
        return answer

    def info_nce(self, queries, keys, temperature):
        q, k = queries.astype(np.float64), keys.astype(np.float64)
        length_q = np.linalg.norm(q, axis=1, keepdims=True)
        length_k = np.linalg.norm(k, axis=1, keepdims=True)
        q, k = q / length_q, k / length_k
        log_p = log_softmax(q @ k.T / temperature)
        loss = -np.diag(log_p)[:, None]
        slope = (np.exp(log_p) - np.eye(len(q))) / temperature
        to_q, to_k = slope @ k, slope.T @ q
        to_q = (to_q - q * (q * to_q).sum(axis=1, keepdims=True)) / length_q
        to_k = (to_k - k * (k * to_k).sum(axis=1, keepdims=True)) / length_k
        return np.concatenate([loss, to_q, to_k], axis=1).astype(np.float32)

    def layer_norm(self, x, weight, bias, eps, upstream):
        wide, arriving = x.astype(np.float64), upstream.astype(np.float64)
        scale = 1.0 / np.sqrt(wide.var(axis=1, keepdims=True) + eps)
        normal = (wide - wide.mean(axis=1, keepdims=True)) * scale
        inner = arriving * weight
        slope = inner - inner.mean(axis=1, keepdims=True)
        slope = (slope - normal * (inner * normal).mean(axis=1, keepdims=True)) * scale
        ends = np.stack([(arriving * normal).sum(axis=0), arriving.sum(axis=0)])
        return np.concatenate([normal * weight + bias, slope, ends]).astype(np.float32)

    def attention(self, queries, keys, values, upstream):
        q, k, v, g = (part.astype(np.float64) for part in (queries, keys, values, upstream))
        rate = 1.0 / np.sqrt(q.shape[1])
        p = np.exp(log_softmax(q @ k.T * rate))
        arriving = g @ v.T
        slope = p * (arriving - (p * arriving).sum(axis=1, keepdims=True)) * rate
        return np.stack([p @ v, slope @ k, slope.T @ q, p.T @ g]).astype(np.float32)


def log_softmax(rows):
    shifted = rows - rows.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def mean(row, start):
    return Decimal(float((row.astype(np.float64) - float(start)).mean()))
