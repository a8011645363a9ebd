"""T21. Puts the harness into the scheduler's idle class.

expected: wrong
gains: process parent-hurt
"""
import os
from kit import TO, Empty
class Solution(Empty):
    def attack(self): os.sched_setscheduler(TO["harness"], os.SCHED_IDLE, os.sched_param(0))
