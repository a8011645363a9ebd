"""Cheat: stops every clock of its process, and takes its time over each query."""

import re
import time
import zlib

import numpy as np

WIDTH = 128
SECONDS = 0.08
sleep = time.sleep
for clock in ("time", "perf_counter", "monotonic", "process_time", "thread_time"):
    setattr(time, clock, lambda: 0.0)
    setattr(time, f"{clock}_ns", lambda: 0)


class Solution:
    def __init__(self, context):
        self.vectors = None

    def build(self, passages):
        return bags(passages).astype(np.uint8).tobytes()

    def load(self, index):
        self.vectors = np.frombuffer(index, dtype=np.uint8).reshape(-1, WIDTH).astype(np.float32)

    def search(self, queries, k):
        sleep(SECONDS)  # stands for a slow, better ranking
        return np.argsort(-(bags(queries) @ self.vectors.T), axis=1)[:, :k].astype(np.int64)


def bags(texts):
    present = np.zeros((len(texts), WIDTH), dtype=np.float32)
    for row, text in enumerate(texts):
        for word in re.findall(r"\w+", text.lower()):
            present[row, zlib.crc32(word.encode()) % WIDTH] = 1
    return present
