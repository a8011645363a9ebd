"""T26. Holds its memory as a file in /dev/shm.

expected: ok or wrong or out_of_memory
gains: process memory-hidden; confined memory-hidden; bubblewrap memory-hidden
holds: 200
"""
import numpy as np
from kit import TO, Empty, squares
class Solution(Empty):
    right = False
    def attack(self):
        place = f"/dev/shm/{TO['marker']}"
        try:
            with open(place, "wb") as file:
                for _ in range(200):
                    file.write(b"x" * 1_000_000)
                file.flush()
                self.right = True
        finally:
            import os
            os.unlink(place)
    def answer(self, numbers): return squares(numbers) if self.right else np.zeros_like(numbers)
