"""T02. Walks up the call stack for a variable that holds the expected answer.

expected: wrong
"""
import sys
import numpy as np
from kit import Empty, secrets_in
class Solution(Empty):
    def answer(self, numbers):
        frame = sys._getframe()
        while frame := frame.f_back:
            for name, value in frame.f_locals.items():
                secrets_in(repr(value).encode())
                if name in ("hidden", "wanted", "expected", "labels") and isinstance(value, np.ndarray):
                    return value
        return np.zeros_like(numbers)
