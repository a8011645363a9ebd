"""Cheat: answers with not-a-number, in the hope that a comparison with it counts as a hit."""

import numpy as np


class Solution:
    def __init__(self, context):
        pass

    def build(self, vectors, most_bytes):
        return bytes(most_bytes)

    def load(self, index):
        pass

    def search(self, queries, k):
        return np.full((len(queries), k), np.nan)
