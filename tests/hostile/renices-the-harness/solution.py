"""T21. Gives the harness, and so the next reference, the lowest priority.

expected: wrong
gains: process parent-hurt
"""
import os
from kit import TO, Empty
class Solution(Empty):
    def attack(self): os.setpriority(os.PRIO_PROCESS, TO["harness"], 19)
