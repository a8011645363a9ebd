"""Answers that are no numbers."""

import numpy as np


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        return b"notes"

    def answer(self, numbers):
        return np.full(len(numbers), np.nan)
