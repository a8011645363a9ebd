"""T50. Opens files until no more can be opened, on the whole machine if it may.

expected: wrong
"""
import os
from kit import Empty
class Solution(Empty):
    def attack(self):
        held = []
        try:
            for _ in range(60_000):
                held.append(os.open("/dev/null", os.O_RDONLY))
        finally:
            for fd in held:
                os.close(fd)
