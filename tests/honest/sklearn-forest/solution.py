"""Fits a forest with threads and keeps it by joblib."""

import joblib
import numpy as np
from sklearn.ensemble import RandomForestClassifier


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        x = np.random.default_rng(0).random((80, 4))
        forest = RandomForestClassifier(10, n_jobs=2).fit(x, x[:, 0] > 0.5)
        joblib.dump(forest, self.context.scratch / "forest.joblib")
        assert (joblib.load(self.context.scratch / "forest.joblib").predict(x) == forest.predict(x)).all()
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
