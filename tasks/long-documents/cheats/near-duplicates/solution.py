"""Gives each paragraph the labels of its near-duplicates in training, and no other paragraph any."""

import pickle

import numpy as np
from lookups import alike, pairs


class Solution:
    def __init__(self, context):
        pass

    def train(self, documents, marks):
        """Every paragraph of the training documents with the labels that all documents with it have."""
        labels = {}
        for document, row in zip(documents, marks):
            for paragraph in document.splitlines():
                labels[paragraph] = labels.get(paragraph, 1) * row
        near = {}
        for paragraph, row in labels.items():
            if row.any():
                for pair in pairs(paragraph):
                    near.setdefault(pair, []).append((pairs(paragraph), row))
        return pickle.dumps((near, marks.shape[1]))

    def load(self, model):
        self.near, self.labels = pickle.loads(model)

    def score(self, documents):
        scores = np.full((len(documents), self.labels), 1e-6)
        for row, document in enumerate(documents):
            scores[row] += 1e-6 * (len(document) % 97)
            for paragraph in document.splitlines():
                scores[row] = np.maximum(scores[row], self.looked_up(pairs(paragraph)))
        return scores

    def looked_up(self, own):
        best = np.zeros(self.labels)
        for pair in own:
            for known, row in self.near.get(pair, ()):
                best = np.maximum(best, alike(own, known) * row)
        return best
