"""T18. Computes one answer and gives it again to every input of that shape.

expected: wrong or ok
"""
import numpy as np
from kit import Empty
class Solution(Empty):
    known = {}
    def answer(self, numbers):
        return self.known.setdefault(numbers.shape, np.arange(len(numbers)) % 97)
