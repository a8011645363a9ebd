"""T44 T49. Forks children that each leave for a session of their own.

expected: crashed or wrong
gains: process process-left
"""
import os, time
from kit import Empty, die_in
class Solution(Empty):
    def attack(self):
        for _ in range(60):
            if os.fork() == 0:
                os.setsid()
                die_in(10)
                if os.fork() == 0:
                    die_in(10)
                    time.sleep(10)
                os._exit(0)
        time.sleep(1)
