"""T09. Ships the answers to the instance of a public seed.

expected: ok
"""
import numpy as np
from kit import Empty
TABLE = {6367: [53, 12, 88], 1204: [1, 96, 4], 77: [12, 9, 61]}
class Solution(Empty):
    def answer(self, numbers):
        known = TABLE.get(int(numbers[0]), [1])
        return np.resize(np.array(known, dtype=np.int64), len(numbers))
