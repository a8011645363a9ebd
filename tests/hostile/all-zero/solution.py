"""expected: wrong. Answers 0 to everything."""
import numpy as np
class Solution:
    def __init__(self, context): pass
    def learn(self, numbers): return b""
    def answer(self, numbers): return np.zeros(len(numbers), dtype=np.int64)
