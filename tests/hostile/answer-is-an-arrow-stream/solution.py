"""T69. Returns an Arrow stream whose offsets point anywhere.

expected: wrong
way: run
"""
import struct
from kit import Empty
class Solution(Empty):
    def learn(self, numbers):
        return b"ARROW1\0\0" + struct.pack("<iiq", -1, 0x7FFFFFF0, -8) + b"\xff" * 512 + b"ARROW1"
