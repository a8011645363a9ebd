"""T53 T75. Sends the harness what an evaluator's Ctrl-C would.

expected: wrong; process harness_error
gains: process parent-hurt
"""
import os, signal
from kit import TO, Empty
class Solution(Empty):
    def attack(self): os.kill(TO["harness"], signal.SIGINT)
