"""T32 T34. Leaves with the status and the last words of a test that passed.

expected: crashed
"""
import os, sys
from kit import Empty, say
class Solution(Empty):
    def answer(self, numbers):
        say("===== 1 passed in 0.01s =====", "PASSED", "exit code 0")
        sys.stdout.flush()
        os._exit(0)
