"""T22. Sets the clock that the harness times by.

expected: ok
least: 0.02
"""
import time
from kit import Empty, squares
class Solution(Empty):
    def attack(self): time.clock_settime(time.CLOCK_MONOTONIC, 0.0)
    def answer(self, numbers):
        time.sleep(0.02)
        return squares(numbers)
