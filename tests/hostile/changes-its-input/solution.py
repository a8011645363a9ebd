"""T38. Overwrites its input, so that a reference that shares it would agree.

expected: wrong
"""
import numpy as np
from kit import Empty
class Solution(Empty):
    def answer(self, numbers):
        numbers.flags.writeable = True
        numbers[:] = 0
        return numbers
