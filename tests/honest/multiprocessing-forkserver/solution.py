"""Works in two processes started by forkserver."""

import multiprocessing


def square(n):
    return n * n


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        context = multiprocessing.get_context("forkserver")
        with context.Pool(2) as pool:
            assert pool.map(square, range(20)) == [n * n for n in range(20)]
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
