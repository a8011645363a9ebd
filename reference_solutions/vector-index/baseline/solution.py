"""Baseline: a flat index of the leading principal components, as many as the budget has room for at float16.

The budget is a tenth of the vectors' own size, so four components in five go. They are the least of
them, and the search over the others is exact; but the true neighbours differ from all the rest by
little in any one direction and by something in every direction, and most of that is lost.
"""

from __future__ import annotations

import faiss
import numpy as np

HEAD = 8  # bytes: the dimension and the width


class Solution:
    """Exact search among shortened vectors."""

    def __init__(self, context):
        faiss.omp_set_num_threads(context.threads)
        self.axes = None
        self.index = None

    def build(self, vectors, most_bytes):
        """The axes that are kept and the vectors on them, float16."""
        n, dimension = vectors.shape
        width = min(dimension, (most_bytes - HEAD) // 2 // (n + dimension))
        _, axes = np.linalg.eigh(np.cov(vectors.T))
        axes = axes[:, ::-1][:, :width].astype(np.float16)
        head = np.array([dimension, width], dtype=np.int32)
        kept = vectors @ axes.astype(np.float32)
        return head.tobytes() + axes.tobytes() + kept.astype(np.float16).tobytes()

    def load(self, index):
        """The axes, and FAISS's flat index over the shortened vectors."""
        dimension, width = np.frombuffer(index, dtype=np.int32, count=2)
        floats = np.frombuffer(index, dtype=np.float16, offset=HEAD).astype(np.float32)
        self.axes = floats[: dimension * width].reshape(dimension, width)
        self.index = faiss.IndexFlatIP(int(width))
        self.index.add(floats[dimension * width :].reshape(-1, width))

    def search(self, queries, k):
        """The k largest inner products over the kept components."""
        _, found = self.index.search(np.ascontiguousarray(queries @ self.axes), k)
        return found
