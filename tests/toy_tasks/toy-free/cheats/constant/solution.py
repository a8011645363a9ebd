"""One answer for all."""

import numpy as np


class Solution:
    def __init__(self, context):
        self.context = context

    def answer(self, numbers):
        return np.ones_like(numbers)
