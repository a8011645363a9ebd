"""T29. Answers in half precision.

expected: malformed
"""
import numpy as np
from kit import Empty, squares
class Solution(Empty):
    def answer(self, numbers): return squares(numbers).astype(np.float16)
