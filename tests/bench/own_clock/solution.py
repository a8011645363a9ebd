"""The baseline, timing each of its own calls by its own clock: no rival of the harness's, but its truth."""

from time import perf_counter_ns

import numpy as np

MOST = 256


class Solution:
    def __init__(self, context):
        self.matrix = None
        self.own = []
        self.asked = []

    def learn(self, matrix):
        return matrix.tobytes()

    def load(self, artefact):
        self.matrix = np.frombuffer(artefact, dtype=np.float32).reshape(128, 128).copy()

    def work(self, numbers, loops):
        rows = numbers
        for _ in range(loops):
            rows = rows @ self.matrix
        return rows.mean(axis=0)

    def answer(self, numbers, loops):
        begin = perf_counter_ns()
        answer = self.work(numbers, loops)
        self.own.append(perf_counter_ns() - begin)
        self.asked.append((numbers, loops))
        return answer

    def told(self):
        found = np.zeros((2, MOST), dtype=np.int64)
        found[0, : len(self.own)] = self.own[:MOST]
        for number, (numbers, loops) in enumerate(self.asked[:MOST]):
            begin = perf_counter_ns()
            self.work(numbers, loops)
            found[1, number] = perf_counter_ns() - begin
        return found
