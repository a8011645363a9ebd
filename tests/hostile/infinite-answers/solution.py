"""T39. Answers with infinities, which are above every bound and below none.

expected: malformed
"""
import numpy as np
from kit import Empty
class Solution(Empty):
    def answer(self, numbers): return np.full(len(numbers), np.inf)
