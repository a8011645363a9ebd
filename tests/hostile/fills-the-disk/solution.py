"""T46. Writes three hundred megabytes into its scratch folder.

expected: wrong or out_of_memory
gains: process disk-filled; confined disk-filled
"""
from kit import Empty
class Solution(Empty):
    def attack(self):
        with (self.context.scratch / "filler").open("wb") as file:
            for _ in range(300):
                file.write(b"x" * 1_000_000)
