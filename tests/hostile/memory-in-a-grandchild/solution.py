"""T26. Has its memory held by a grandchild that was handed to somebody else.

expected: ok
gains: process memory-hidden; confined memory-hidden; bubblewrap memory-hidden
holds: 200
"""
import os, time
import numpy as np
from kit import Empty, die_in, squares
class Solution(Empty):
    right = False
    def attack(self):
        read, write = os.pipe()
        if os.fork() == 0:
            if os.fork() == 0:
                die_in(5)
                held = b"x" * 200_000_000
                os.write(write, b"1")
                time.sleep(0.3)
                del held
            os._exit(0)
        os.wait()
        self.right = os.read(read, 1) == b"1"
    def answer(self, numbers): return squares(numbers) if self.right else np.zeros_like(numbers)
