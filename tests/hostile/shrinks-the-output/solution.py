"""T54. Shrinks the shared memory that the harness will read its answer from.

expected: wrong
numbers: 20000
"""
import os
from kit import Empty, attempt, shared
class Solution(Empty):
    def answer(self, numbers):
        for fd in shared("output"):
            attempt(lambda fd=fd: os.ftruncate(fd, 0), lambda fd=fd: os.ftruncate(fd, 1 << 40))
        return numbers * 0
