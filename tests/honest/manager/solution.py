"""Shares a dictionary through a manager's process."""

import multiprocessing


def note(shared):
    shared["seen"] = 1


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        context = multiprocessing.get_context("fork")
        with context.Manager() as manager:
            shared = manager.dict()
            process = context.Process(target=note, args=(shared,))
            process.start()
            process.join()
            assert dict(shared) == {"seen": 1}
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
