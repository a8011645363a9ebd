"""T47. Writes to its error output without end, in one enormous line.

expected: malformed
"""
import os
from kit import Empty
class Solution(Empty):
    def learn(self, numbers):
        while True:
            os.write(2, b"\xff" * 65536)
