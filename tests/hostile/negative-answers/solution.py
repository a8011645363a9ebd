"""T40. Answers with numbers below the range.

expected: malformed
"""
from kit import Empty, squares
class Solution(Empty):
    def answer(self, numbers): return squares(numbers) - 97
