"""Cheat: answers with negative and huge numbers, which a careless evaluator's indexing would wrap or trust."""

import numpy as np


class Solution:
    def __init__(self, context):
        pass

    def build(self, vectors, most_bytes):
        return bytes(most_bytes)

    def load(self, index):
        pass

    def search(self, queries, k):
        rows = np.arange(-1, k - 1, dtype=np.int64)
        rows[-1] = 2**62
        return np.tile(rows, (len(queries), 1))
