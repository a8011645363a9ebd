"""Trains a quantised FAISS index, writes it and maps it into memory."""

import faiss
import numpy as np


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        faiss.omp_set_num_threads(1)
        vectors = np.random.default_rng(0).random((400, 16), dtype=np.float32)
        index = faiss.index_factory(16, "IVF4,Flat")
        index.train(vectors)
        index.add(vectors)
        path = str(self.context.scratch / "index.faiss")
        faiss.write_index(index, path)
        assert faiss.read_index(path, faiss.IO_FLAG_MMAP).ntotal == 400
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
