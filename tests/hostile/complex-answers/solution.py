"""T29 T40. Answers with complex numbers, whose order is anybody's.

expected: malformed
"""
import numpy as np
from kit import Empty, squares
class Solution(Empty):
    def answer(self, numbers): return squares(numbers) * (1 + 1j)
