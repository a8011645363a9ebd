"""T66. Kills the process that it was forked from, which serves the next submission too, or is the harness.

expected: crashed or wrong; process crashed or wrong or harness_error
gains: process parent-hurt
way: twice
"""
import os, signal
from kit import Empty, ancestor
class Solution(Empty):
    def attack(self): os.kill(ancestor(), signal.SIGKILL)
