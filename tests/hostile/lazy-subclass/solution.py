"""T16. Returns an array of a class that computes when it is looked at.

expected: wrong
"""
import numpy as np
from kit import Empty, squares
class Lazy(np.ndarray):
    def __getitem__(self, at): return squares(self.numbers)[at]
    def __array__(self, dtype=None, copy=None): return squares(self.numbers)
    def __iter__(self): return iter(squares(self.numbers))
    def tobytes(self, order="C"): return squares(self.numbers).tobytes()
class Solution(Empty):
    def answer(self, numbers):
        lazy = np.zeros(len(numbers), dtype=np.int64).view(Lazy)
        lazy.numbers = numbers
        return lazy
