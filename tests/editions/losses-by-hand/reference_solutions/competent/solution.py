"""Competent: double precision and log-sum-exp; for the softmax, probabilities are still subtracted from 1."""

import numpy as np


class Solution:
    def __init__(self, context):
        pass

    def power_loss(self, logits, targets, exponent):
        log_p, slope = softmax(logits, targets)
        p = np.exp(log_p)
        return joined((1 - p**exponent) / exponent, (p**exponent)[:, None] * slope)

    def poly_loss(self, logits, targets, epsilon):
        log_p, slope = softmax(logits, targets)
        p = np.exp(log_p)
        return joined(-log_p + epsilon * (1 - p), slope * (1 + epsilon * p)[:, None])

    def soft_margin(self, logits, targets, sharpness):
        side = np.where(targets == 1, 1.0, -1.0)
        margin = sharpness * (side * logits.astype(np.float64))
        loss, other = np.logaddexp(0.0, -margin), np.logaddexp(0.0, margin)
        return np.stack([loss / sharpness, -side * np.exp(-other)]).astype(np.float32)


def softmax(logits, targets):
    wide, rows = logits.astype(np.float64), np.arange(len(logits))
    shifted = wide - wide.max(axis=1, keepdims=True)
    log = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    slope = np.exp(log)
    slope[rows, targets] -= 1
    return log[rows, targets], slope


def joined(loss, slope):
    return np.concatenate([loss[:, None], slope], axis=1).astype(np.float32)
