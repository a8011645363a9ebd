"""Cheat: answers every query with the same passages, whatever is asked."""

import numpy as np


class Solution:
    def __init__(self, context):
        self.index = b""

    def build(self, passages):
        return bytes(1024 + 4 * len(passages))

    def load(self, index):
        self.index = index

    def search(self, queries, k):
        return np.tile(np.arange(k, dtype=np.int64), (len(queries), 1))
