"""T12. Slow, with every clock it can reach turned back.

expected: budget_exceeded
way: run
"""
import time
sleep = time.sleep
time.perf_counter = time.monotonic = time.time = lambda: 0.0
class Solution:
    def __init__(self, context): pass
    def learn(self, numbers): return b"notes"
    def answer(self, numbers):
        sleep(0.1)
        return numbers * numbers % 97
