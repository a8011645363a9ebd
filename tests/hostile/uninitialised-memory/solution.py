"""T08. Asks for memory without clearing it and looks for somebody else's answers.

expected: wrong
"""
import numpy as np
from kit import Empty, secrets_in
class Solution(Empty):
    def answer(self, numbers):
        for size in (64, 480, 4096, 1 << 16, 1 << 20):
            for _ in range(50):
                secrets_in(np.empty(size, dtype=np.uint8).tobytes())
        return np.empty(len(numbers), dtype=np.int64) * 0
