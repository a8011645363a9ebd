"""T74 T73. Has line ends, escape sequences and a change of direction in its name.

expected: wrong
named: "a\nTier  expert\u001b[2J\u202e001"
way: run
"""
from kit import Empty
class Solution(Empty):
    pass
