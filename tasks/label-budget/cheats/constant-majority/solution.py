"""Always answers the same class, the most frequent one among the given labels."""

import numpy as np


class Solution:
    def __init__(self, context):
        pass

    def train(self, texts, labels, num_classes):
        self.answer = int(np.bincount(labels, minlength=num_classes).argmax())

    def predict(self, texts):
        return np.full(len(texts), self.answer, dtype=np.int64)
