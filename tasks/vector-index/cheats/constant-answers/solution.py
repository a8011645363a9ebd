"""Cheat: answers every query with the same vectors, whatever is asked."""

import numpy as np


class Solution:
    def __init__(self, context):
        pass

    def build(self, vectors, most_bytes):
        return bytes(most_bytes)

    def load(self, index):
        pass

    def search(self, queries, k):
        return np.tile(np.arange(k, dtype=np.int64), (len(queries), 1))
