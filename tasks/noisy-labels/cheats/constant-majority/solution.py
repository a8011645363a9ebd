"""Always answers the class that is most frequent among the given labels."""

import numpy as np


class Solution:
    def __init__(self, context):
        pass

    def train(self, texts, labels, num_classes):
        return str(np.bincount(labels, minlength=num_classes).argmax()).encode()

    def load(self, model):
        self.answer = int(model)

    def predict(self, texts):
        return np.full(len(texts), self.answer, dtype=np.int64)
