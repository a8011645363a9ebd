"""T07. Varies one guess a request and waits for a sign of whether it was right.

expected: ok
"""
import time
import numpy as np
from kit import Empty
class Solution(Empty):
    guess = 0
    def answer(self, numbers):
        self.guess += 1
        return np.full(len(numbers), self.guess % 97)
