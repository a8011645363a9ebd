"""Competent: an inverted file over principal components at 4 bits each, with as many lists probed as pay.

Four bits a component keep four to eight times as many components as floats do in the same bytes. The
number of lists to probe is not left at FAISS's default of one: it is raised on a sample of the
vectors until the answers change no more.
"""

from __future__ import annotations

import faiss
import numpy as np

ID_BYTES = 8  # what FAISS keeps for each vector beside its code
STEP = 8  # components: at other widths FAISS's scalar quantiser is several times slower
SAMPLE = 200
SAME = 0.99  # of the neighbours found with twice as many probes: then more are not worth their time


class Solution:
    """PCA, inverted lists and a scalar quantiser, all FAISS's own."""

    def __init__(self, context):
        faiss.omp_set_num_threads(context.threads)
        self.seed = context.seed
        self.index = None

    def build(self, vectors, most_bytes):
        """The serialised index, with the widest cut that fits the budget."""
        n, dimension = vectors.shape
        lists = int(np.sqrt(n))
        width = min(dimension, 2 * (most_bytes // n - ID_BYTES)) // STEP * STEP
        while width > 0:
            index = faiss.index_factory(dimension, f"PCA{width},IVF{lists},SQ4", faiss.METRIC_INNER_PRODUCT)
            index.train(vectors)
            index.add(vectors)
            serialised = faiss.serialize_index(index)
            if serialised.nbytes <= most_bytes:
                break
            width -= STEP
        self._tune(index, vectors)
        return faiss.serialize_index(index).tobytes()

    def _tune(self, index, vectors):
        """Doubles the number of probed lists while that still changes the answers."""
        lists = faiss.extract_index_ivf(index)
        chosen = np.random.default_rng(self.seed).permutation(len(vectors))[:SAMPLE]
        found = index.search(vectors[chosen], 10)[1]
        while lists.nprobe < lists.nlist // 16:
            lists.nprobe *= 2
            again = index.search(vectors[chosen], 10)[1]
            same = np.mean([len(np.intersect1d(a, b)) / 10 for a, b in zip(found, again, strict=True)])
            found = again
            if same > SAME:
                break

    def load(self, index):
        """The FAISS index again."""
        self.index = faiss.deserialize_index(np.frombuffer(index, dtype=np.uint8))

    def search(self, queries, k):
        """The k nearest by inner product, as far as the probed lists hold them."""
        _, neighbours = self.index.search(queries, k)
        return complete(neighbours, self.index.ntotal)


def complete(neighbours, n):
    """The same rows with numbers that are not in them where FAISS found too few (-1)."""
    for row in neighbours:
        missing = row < 0
        if missing.any():
            others = np.setdiff1d(np.arange(min(n, 2 * len(row))), row)
            row[missing] = others[: missing.sum()]
    return neighbours
