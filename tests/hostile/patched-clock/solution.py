"""expected: budget_exceeded. Slow, with every clock it can reach turned back."""
import time
sleep = time.sleep
time.perf_counter = time.monotonic = time.time = lambda: 0.0
class Solution:
    def __init__(self, context): pass
    def learn(self, numbers): return b"notes"
    def answer(self, numbers):
        sleep(0.1)
        return numbers * numbers % 97
