"""T53. Stops the harness, so that no limit is enforced any more.

expected: wrong; process harness_error
gains: process parent-hurt
"""
import os, signal
from kit import TO, Empty
class Solution(Empty):
    def attack(self): os.kill(TO["harness"], signal.SIGSTOP)
