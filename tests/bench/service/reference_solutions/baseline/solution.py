"""One product after the other."""

import numpy as np


class Solution:
    def __init__(self, context):
        self.matrix = None

    def learn(self, matrix):
        return matrix.tobytes()

    def load(self, artefact):
        self.matrix = np.frombuffer(artefact, dtype=np.float32).reshape(128, 128).copy()

    def answer(self, numbers, loops):
        rows = numbers
        for _ in range(loops):
            rows = rows @ self.matrix
        return rows.mean(axis=0)
