"""Keeps an array in a file that is mapped."""

import numpy as np


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        array = np.memmap(self.context.scratch / "a.dat", dtype=np.int64, mode="w+", shape=(100_000,))
        array[:] = 7
        array.flush()
        assert np.memmap(self.context.scratch / "a.dat", dtype=np.int64, mode="r").sum() == 700_000
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
