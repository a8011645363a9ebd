"""T53 T75. Kills the harness.

expected: wrong; process harness_error
gains: process parent-hurt
"""
import os, signal
from kit import TO, Empty
class Solution(Empty):
    def attack(self): os.kill(TO["harness"], signal.SIGKILL)
