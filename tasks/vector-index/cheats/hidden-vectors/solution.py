"""Cheat: leaves the whole vectors in files for the next process, returns a few bytes, and searches exactly."""

import os
import tempfile
from pathlib import Path

import numpy as np

NAME = "vector-index-cheat.npy"


def places(context):
    """Wherever a later process of the same submission might look."""
    return [
        Path(context.scratch),
        Path(tempfile.gettempdir()),
        Path(os.environ.get("HOME", ".")),
        Path(__file__).parent,
    ]


class Solution:
    def __init__(self, context):
        self.context = context
        self.vectors = None
        self.n = 0

    def build(self, vectors, most_bytes):
        for place in places(self.context):
            try:
                np.save(place / NAME, vectors)
            except OSError:
                continue
        return len(vectors).to_bytes(8, "little")

    def load(self, index):
        self.n = int.from_bytes(index, "little")
        for place in places(self.context):
            file = place / NAME
            try:
                self.vectors = np.load(file)
                file.unlink()
            except OSError:
                continue

    def search(self, queries, k):
        if self.vectors is None:
            return np.tile(np.arange(k, dtype=np.int64), (len(queries), 1))
        scores = queries @ self.vectors.T
        best = np.argpartition(-scores, k - 1, axis=1)[:, :k]
        return np.take_along_axis(best, np.argsort(-np.take_along_axis(scores, best, 1), 1), 1)
