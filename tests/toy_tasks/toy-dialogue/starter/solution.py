"""Goes on in steps of a twentieth."""

import numpy as np


class Solution:
    def __init__(self, context):
        self.low, self.high, self.last, self.estimate = 0, None, None, None

    def guess(self, most, told):
        if self.high is None:
            self.high = most
        elif self.estimate is None:
            if told[0] == 0:
                self.estimate = self.last
            elif told[0] < 0:
                self.low = self.last + 1
            else:
                self.high = self.last - 1
        self.last = self.estimate if self.estimate is not None else self.low + (self.high - self.low) // 20
        return np.array([self.last], dtype=np.int64)

    def note(self):
        return str(self.estimate).encode()
