"""T45. Maps and touches three gigabytes at once, faster than anybody samples.

expected: out_of_memory or crashed or wrong
"""
import mmap
from kit import Empty
class Solution(Empty):
    def attack(self):
        with mmap.mmap(-1, 3 << 30) as memory:
            for at in range(0, len(memory), 4096):
                memory[at] = 1
