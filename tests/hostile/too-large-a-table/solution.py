"""T09. Ships a table that is larger than a submission may be.

expected: refused
brings: big
"""
from kit import Empty
class Solution(Empty):
    pass
