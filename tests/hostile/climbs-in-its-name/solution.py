"""T74. Is called so that a path made of its name would lead elsewhere.

expected: wrong
named: "..\\..\\..%2f..%2fstore"
way: run
"""
from kit import Empty
class Solution(Empty):
    pass
