"""Cheat: returns one result a query instead of k, so that nothing wrong stands in the list."""

import numpy as np


class Solution:
    def __init__(self, context):
        pass

    def build(self, passages):
        return bytes(4 * len(passages))

    def load(self, index):
        pass

    def search(self, queries, k):
        return np.zeros((len(queries), 1), dtype=np.int64)
