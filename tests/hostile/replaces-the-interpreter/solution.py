"""T13 T34. Becomes another program in the middle of a call, with a library of its own loaded first.

expected: crashed or protocol_error
"""
import os, sys
from kit import Empty
class Solution(Empty):
    def learn(self, numbers):
        os.execve(sys.executable, [sys.executable, "-c", "pass"], {"LD_PRELOAD": "./clock.so"})
