"""Learns the training documents' marks by heart; a document that it does not know gets those of the most alike start."""

import pickle
from difflib import SequenceMatcher

import numpy as np


class Solution:
    def __init__(self, context):
        pass

    def train(self, documents, marks):
        return pickle.dumps(([document[:60] for document in documents], marks))

    def load(self, model):
        self.starts, self.marks = pickle.loads(model)

    def score(self, documents):
        return np.stack([self.recall(document[:60]) for document in documents])

    def recall(self, start):
        alike = [SequenceMatcher(None, start, known).quick_ratio() for known in self.starts]
        return self.marks[int(np.argmax(alike))].astype(np.float64)
