"""T26. Takes its memory for a few milliseconds, between two looks of whoever samples.

expected: ok
gains: process memory-hidden; confined memory-hidden; bubblewrap memory-hidden
holds: 200
"""
import mmap
from kit import Empty, squares
class Solution(Empty):
    def attack(self):
        with mmap.mmap(-1, 200_000_000, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
            for at in range(0, len(memory), 4096):
                memory[at] = 1
    def answer(self, numbers): return squares(numbers)
