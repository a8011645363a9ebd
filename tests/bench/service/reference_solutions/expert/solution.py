"""The power by repeated squaring, once, in double precision."""

import numpy as np


class Solution:
    def __init__(self, context):
        self.matrix = None
        self.powers = {}

    def learn(self, matrix):
        return matrix.tobytes()

    def load(self, artefact):
        self.matrix = np.frombuffer(artefact, dtype=np.float32).reshape(128, 128).astype(np.float64)

    def answer(self, numbers, loops):
        if loops not in self.powers:
            self.powers[loops] = np.linalg.matrix_power(self.matrix, loops)
        return (numbers.mean(axis=0, dtype=np.float64) @ self.powers[loops]).astype(np.float32)
