"""Solves and optimises with SciPy."""

import numpy as np
from scipy import optimize, sparse, spatial


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        assert optimize.minimize(lambda x: (x - 3) ** 2, 0.0).x[0] > 2.9
        assert sparse.eye(10).tocsr().nnz == 10
        assert spatial.cKDTree(np.eye(3)).query(np.ones(3), k=1, workers=1)[1] in (0, 1, 2)
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
