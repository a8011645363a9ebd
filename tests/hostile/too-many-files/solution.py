"""T09 T46. Ships more files than a submission may have.

expected: refused
brings: many
"""
from kit import Empty
class Solution(Empty):
    pass
