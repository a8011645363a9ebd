"""Cheat: fills each row with repeats of its best guess, so that a hit would count ten times."""

import numpy as np

WIDTH = 8


class Solution:
    def __init__(self, context):
        self.vectors = None

    def build(self, vectors, most_bytes):
        return np.ascontiguousarray(vectors[:, :WIDTH]).tobytes()

    def load(self, index):
        self.vectors = np.frombuffer(index, dtype=np.float32).reshape(-1, WIDTH)

    def search(self, queries, k):
        best = (queries[:, :WIDTH] @ self.vectors.T).argmax(axis=1)
        return np.repeat(best[:, np.newaxis], k, axis=1).astype(np.int64)
