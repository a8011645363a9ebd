"""T39. Returns NaN, which is no integer.

expected: malformed
"""
import numpy as np
class Solution:
    def __init__(self, context): pass
    def learn(self, numbers): return b""
    def answer(self, numbers): return np.full(len(numbers), np.nan)
