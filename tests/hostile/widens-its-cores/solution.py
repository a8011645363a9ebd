"""T28. Widens the set of cores that it may run on.

expected: wrong
gains: process cores-taken
"""
import os, time
from kit import Empty
class Solution(Empty):
    def attack(self):
        os.sched_setaffinity(0, set(range(os.cpu_count())))
        time.sleep(0.2)
