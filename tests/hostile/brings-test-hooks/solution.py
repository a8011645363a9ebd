"""T33. Brings along files that a careless harness would import before or instead of its own.

expected: wrong
"""
from kit import Empty
class Solution(Empty):
    pass
