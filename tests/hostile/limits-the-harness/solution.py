"""T52. Limits how large a file the harness may write, so that its results do not fit.

expected: wrong
gains: process parent-hurt
"""
import resource
from kit import TO, Empty
class Solution(Empty):
    def attack(self):
        _, hard = resource.prlimit(TO["harness"], resource.RLIMIT_FSIZE)
        resource.prlimit(TO["harness"], resource.RLIMIT_FSIZE, (1 << 40, hard))
