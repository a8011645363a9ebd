"""T18. Takes an input at the same address for the same input.

expected: wrong or ok
"""
import numpy as np
from kit import Empty
class Solution(Empty):
    known = {}
    def answer(self, numbers):
        return self.known.setdefault(numbers.ctypes.data, np.arange(len(numbers)) % 89)
