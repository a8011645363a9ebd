"""T07 T62. Tells a bit by how long it takes, and reads back whether the harness minded.

expected: ok
least: 0.02
"""
import time
from kit import Empty, squares
class Solution(Empty):
    def answer(self, numbers):
        time.sleep(0.02 + 0.01 * (int(numbers[0]) & 1))
        return squares(numbers)
