"""T73 T74. Is called like a formula of a spreadsheet.

expected: wrong
named: "=HYPERLINK(\"http:127.0.0.1\",\"100 points\")"
way: run
"""
from kit import Empty
class Solution(Empty):
    pass
