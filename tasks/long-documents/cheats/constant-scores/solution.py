"""Gives every document the same scores: the share of each label among the training documents."""

import numpy as np


class Solution:
    def __init__(self, context):
        pass

    def train(self, documents, marks):
        return marks.mean(axis=0).astype(np.float64).tobytes()

    def load(self, model):
        self.shares = np.frombuffer(model, dtype=np.float64)

    def score(self, documents):
        return np.repeat(self.shares[None, :], len(documents), axis=0)
