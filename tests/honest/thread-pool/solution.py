"""Maps over threads with concurrent.futures."""

from concurrent.futures import ThreadPoolExecutor


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(abs, range(-10, 0))) == list(range(10, 0, -1))
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
