"""T26. Holds its memory in an anonymous file that it has not mapped.

expected: ok
gains: process memory-hidden; confined memory-hidden; bubblewrap memory-hidden
holds: 200
"""
import os
import numpy as np
from kit import Empty, squares
class Solution(Empty):
    right = False
    def attack(self):
        self.fd = os.memfd_create("notes")
        for _ in range(200):
            os.write(self.fd, bytes(1_000_000))
        self.right = True
    def answer(self, numbers): return squares(numbers) if self.right else np.zeros_like(numbers)
