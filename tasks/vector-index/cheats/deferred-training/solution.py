"""Cheat: `build` only packs the leading components at 4 bits; lists are trained at length in `load`."""

import faiss
import numpy as np

BITS = 4


class Solution:
    def __init__(self, context):
        faiss.omp_set_num_threads(context.threads)
        self.axes = None
        self.index = None

    def build(self, vectors, most_bytes):
        n, dimension = vectors.shape
        width = min(dimension, (most_bytes - 64) // (n + 4 * dimension) * 2 // 2)
        _, axes = np.linalg.eigh(np.cov(vectors.T))
        axes = np.ascontiguousarray(axes[:, ::-1][:, :width], dtype=np.float32)
        kept = vectors @ axes
        reach = np.float32(np.abs(kept).max())
        codes = np.clip(np.rint((kept / reach + 1) * 7.5), 0, 15).astype(np.uint8)
        if width % 2:
            codes = np.concatenate([codes, np.zeros((n, 1), np.uint8)], axis=1)
        packed = codes[:, 0::2] | codes[:, 1::2] << BITS
        head = np.array([n, dimension, width], dtype=np.int64).tobytes() + reach.tobytes()
        return head + axes.tobytes() + packed.tobytes()

    def load(self, index):
        n, dimension, width = (int(v) for v in np.frombuffer(index, dtype=np.int64, count=3))
        reach = np.frombuffer(index, dtype=np.float32, offset=24, count=1)[0]
        self.axes = np.frombuffer(index, dtype=np.float32, offset=28, count=dimension * width)
        self.axes = self.axes.reshape(dimension, width)
        packed = np.frombuffer(index, dtype=np.uint8, offset=28 + 4 * dimension * width).reshape(n, -1)
        codes = np.stack([packed & 15, packed >> BITS], axis=2).reshape(n, -1)[:, :width]
        vectors = np.ascontiguousarray((codes.astype(np.float32) / 7.5 - 1) * reach)
        lists = int(4 * n**0.5)
        self.index = faiss.index_factory(width, f"IVF{lists},Flat", faiss.METRIC_INNER_PRODUCT)
        self.index.cp.niter = 40
        self.index.train(vectors)
        self.index.add(vectors)
        self.index.nprobe = max(1, lists // 16)

    def search(self, queries, k):
        return self.index.search(np.ascontiguousarray(queries @ self.axes), k)[1]
