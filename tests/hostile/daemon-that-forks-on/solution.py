"""T49. Leaves a process that forks itself anew all the time, so that no list of it is ever right.

expected: wrong or crashed
gains: process process-left
"""
import os, time
from kit import Empty, die_in
class Solution(Empty):
    def attack(self):
        if os.fork() == 0:
            os.setsid()
            for _ in range(2000):
                if os.fork():
                    os._exit(0)
                die_in(8)
                time.sleep(0.004)
            os._exit(0)
        os.wait()
