"""T41 T72. Sends a byte more than was asked.

expected: protocol_error
"""
import os
from kit import Empty, ours
class Solution(Empty):
    def answer(self, numbers):
        os.write(ours(), b"+")
        return numbers * 0
