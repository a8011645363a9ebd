"""Writes and reads arrays, single and compressed."""

import numpy as np


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        np.save(self.context.scratch / "a.npy", numbers)
        np.savez_compressed(self.context.scratch / "b.npz", a=numbers, b=numbers)
        assert np.array_equal(np.load(self.context.scratch / "a.npy", mmap_mode="r"), numbers)
        with np.load(self.context.scratch / "b.npz") as both:
            assert np.array_equal(both["b"], numbers)
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
