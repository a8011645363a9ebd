"""Searches a flat FAISS index with its threads."""

import faiss
import numpy as np


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        faiss.omp_set_num_threads(self.context.threads)
        vectors = np.random.default_rng(0).random((500, 16), dtype=np.float32)
        index = faiss.IndexFlatIP(16)
        index.add(vectors)
        assert index.search(vectors[:5], 3)[1].shape == (5, 3)
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
