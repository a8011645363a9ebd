"""T23 T40. Answers with no bytes at all, in no time.

expected: malformed
"""
import numpy as np
from kit import Empty
class Solution(Empty):
    def answer(self, numbers): return np.zeros(0, dtype=np.int64)
