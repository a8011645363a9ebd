"""Shows progress with tqdm, on standard error."""

from tqdm.auto import tqdm
from tqdm.contrib.concurrent import thread_map


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        assert sum(tqdm(range(1000))) == 499_500
        assert thread_map(abs, range(-5, 0), max_workers=2) == [5, 4, 3, 2, 1]
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
