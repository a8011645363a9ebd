"""Uses multiprocessing's locks, events and shared values."""

import multiprocessing


def count(lock, value, event):
    event.wait(30)
    with lock:
        value.value += 1


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        context = multiprocessing.get_context("fork")
        lock, value, event = context.Lock(), context.Value("i", 0), context.Event()
        workers = [context.Process(target=count, args=(lock, value, event)) for _ in range(3)]
        for worker in workers:
            worker.start()
        event.set()
        for worker in workers:
            worker.join()
        assert value.value == 3
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
