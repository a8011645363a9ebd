"""Runs joblib with threads, and caches a function in its scratch folder."""

import joblib


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        with joblib.parallel_config(backend="threading", n_jobs=2):
            assert joblib.Parallel()(joblib.delayed(abs)(-n) for n in range(5)) == list(range(5))
        memory = joblib.Memory(self.context.scratch / "cache", verbose=0)
        assert memory.cache(abs)(-3) == 3
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
