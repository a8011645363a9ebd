"""T46. Writes four hundred megabytes into its scratch folder and keeps them for a second.

expected: wrong or out_of_memory
gains: process disk-filled; confined disk-filled
"""
import time

from kit import Empty
class Solution(Empty):
    def attack(self):
        with (self.context.scratch / "filler").open("wb") as file:
            for _ in range(400):
                file.write(b"x" * 1_000_000)
        time.sleep(1)
