"""T17. Is quick while it believes that it is warmed up, and slow afterwards.

expected: ok
least: 0.02
"""
import time
from kit import Empty, squares
class Solution(Empty):
    calls = 0
    def answer(self, numbers):
        self.calls += 1
        time.sleep(0.02 if self.calls > 2 else 0)
        return squares(numbers)
