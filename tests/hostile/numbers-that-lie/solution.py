"""T35. Answers with a list of numbers of a class that changes its mind.

expected: wrong or malformed
"""
from kit import Empty
class Liar(int):
    def __eq__(self, other): return True
    def __index__(self): return 0
    def __hash__(self): return 0
class Solution(Empty):
    def answer(self, numbers): return [Liar(0) for _ in numbers]
