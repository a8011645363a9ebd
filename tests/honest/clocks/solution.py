"""Times itself by every clock, and sleeps."""

import datetime
import time


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        began = time.perf_counter(), time.monotonic(), time.process_time(), time.thread_time(), time.time_ns()
        time.sleep(0.01)
        assert time.perf_counter() - began[0] >= 0.01
        assert datetime.datetime.now(datetime.timezone.utc).year > 2000
        time.localtime()
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
