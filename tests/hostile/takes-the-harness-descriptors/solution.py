"""T52 T53. Limits how many files the harness may open.

expected: wrong
gains: process parent-hurt
"""
import resource
from kit import TO, Empty
class Solution(Empty):
    def attack(self):
        _, hard = resource.prlimit(TO["harness"], resource.RLIMIT_NOFILE)
        resource.prlimit(TO["harness"], resource.RLIMIT_NOFILE, (200, hard))
