"""Hands over a note that tells nothing."""

import numpy as np


class Solution:
    def __init__(self, context):
        self.low, self.high, self.last, self.found = 0, None, None, None

    def guess(self, most, told):
        if self.high is None:
            self.high = most
        elif self.found is None:
            if told[0] == 0:
                self.found = self.last
            elif told[0] < 0:
                self.low = self.last + 1
            else:
                self.high = self.last - 1
        self.last = self.found if self.found is not None else (self.low + self.high) // 2
        return np.array([self.last], dtype=np.int64)

    def note(self):
        return b"?"
