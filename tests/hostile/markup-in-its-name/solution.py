"""T73 T74. Is called like an element that runs a script.

expected: wrong
named: "<svg onload=alert(1)>"
way: run
"""
from kit import Empty
class Solution(Empty):
    pass
