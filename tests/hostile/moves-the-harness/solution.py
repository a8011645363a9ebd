"""T21 T28. Moves the harness to the worker's core.

expected: wrong
gains: process parent-hurt
"""
import os
from kit import TO, Empty
class Solution(Empty):
    def attack(self):
        now = os.sched_getaffinity(TO["harness"])
        os.sched_setaffinity(TO["harness"], {max(now)} if len(now) > 1 else set(range(os.cpu_count())))
