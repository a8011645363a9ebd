"""T71. Returns a FAISS index whose sizes are not true.

expected: wrong
"""
import struct
from kit import Empty
class Solution(Empty):
    def learn(self, numbers):
        return b"IxF2" + struct.pack("<iqqq?i", 64, 1 << 40, 1 << 20, 1 << 20, True, 1) + struct.pack("<Q", 1 << 62)
