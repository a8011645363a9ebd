"""Gives a large array to joblib's processes, which share it through a file."""

import joblib
import numpy as np


def total(array):
    return float(array.sum())


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        big = np.ones(1_000_000)
        assert joblib.Parallel(n_jobs=2, max_nbytes="1M")(joblib.delayed(total)(big) for _ in range(2)) == [
            1e6,
            1e6,
        ]
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
