"""Right below 7,000."""

import numpy as np


class Solution:
    def __init__(self, context):
        self.context = context

    def answer(self, numbers):
        return np.where(numbers < 7000, numbers * numbers % 97, 1)
