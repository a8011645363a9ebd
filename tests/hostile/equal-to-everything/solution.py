"""T35. Answers with an array that is equal to whatever it is compared with.

expected: wrong
"""
import numpy as np
from kit import Empty
class Agreeable(np.ndarray):
    def __eq__(self, other): return np.ones(len(self), dtype=bool)
    def __ne__(self, other): return np.zeros(len(self), dtype=bool)
    def __array_ufunc__(self, *_, **__): return np.ones(len(self), dtype=bool)
class Solution(Empty):
    def answer(self, numbers): return np.zeros(len(numbers), dtype=np.int64).view(Agreeable)
