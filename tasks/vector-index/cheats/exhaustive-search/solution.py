"""Cheat: keeps 4 bits of the leading components and compares every query with every vector, whatever the time it takes."""

import faiss
import numpy as np


class Solution:
    def __init__(self, context):
        faiss.omp_set_num_threads(context.threads)
        self.index = None

    def build(self, vectors, most_bytes):
        n, dimension = vectors.shape
        width = min(dimension, 2 * most_bytes // (n + 16 * dimension) // 8 * 8)
        index = faiss.index_factory(dimension, f"PCA{width},SQ4", faiss.METRIC_INNER_PRODUCT)
        index.train(vectors)
        index.add(vectors)
        return faiss.serialize_index(index).tobytes()

    def load(self, index):
        self.index = faiss.deserialize_index(np.frombuffer(index, dtype=np.uint8))

    def search(self, queries, k):
        return self.index.search(queries, k)[1]
