"""Multiplies and decomposes matrices with as many threads as it has."""

import numpy as np


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        a = np.random.default_rng(0).random((300, 300))
        u, s, v = np.linalg.svd(a @ a)
        assert np.allclose(u * s @ v, a @ a)
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
