"""T46. Makes two thousand files, for the disk's table of them.

expected: wrong
"""
import os
from kit import Empty
class Solution(Empty):
    def attack(self):
        folder = self.context.scratch / "many"
        folder.mkdir()
        for number in range(2_000):
            os.close(os.open(folder / str(number), os.O_CREAT | os.O_WRONLY))
