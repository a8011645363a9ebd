"""Keeps daemon threads and a timer that outlive its calls."""

import queue
import threading


class Solution:
    def __init__(self, context):
        self.context = context
        self.jobs, self.done = queue.Queue(), queue.Queue()
        threading.Thread(target=self.work, daemon=True).start()

    def work(self):
        while True:
            self.done.put(self.jobs.get() ** 2)

    def learn(self, numbers):
        threading.Timer(0.01, lambda: None).start()
        self.jobs.put(5)
        assert self.done.get(timeout=10) == 25
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
