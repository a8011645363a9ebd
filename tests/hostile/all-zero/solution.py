"""T32 T34. Answers 0 to everything.

expected: wrong
"""
import numpy as np
class Solution:
    def __init__(self, context): pass
    def learn(self, numbers): return b""
    def answer(self, numbers): return np.zeros(len(numbers), dtype=np.int64)
