"""Cross-validates with joblib's processes."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        x = np.random.default_rng(0).random((60, 4))
        assert len(cross_val_score(LogisticRegression(), x, x[:, 0] > 0.5, n_jobs=2)) == 5
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
