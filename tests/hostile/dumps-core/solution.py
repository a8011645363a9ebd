"""T50. Raises its limit and dies so that all of its memory is written to disk.

expected: crashed
"""
import os, resource
from kit import TO, Empty, attempt
class Solution(Empty):
    def answer(self, numbers):
        attempt(lambda: resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)))
        os.abort()
