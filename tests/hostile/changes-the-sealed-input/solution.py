"""T38. Writes into the shared memory that its input came in.

expected: wrong
numbers: 20000
"""
import os
from kit import Empty, attempt, shared
class Solution(Empty):
    def attack(self):
        for fd in shared("input"):
            attempt(lambda fd=fd: os.pwrite(fd, bytes(1000), 0), lambda fd=fd: os.ftruncate(fd, 0))
    def answer(self, numbers):
        self.attack()
        return numbers * 0
