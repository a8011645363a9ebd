"""Always 1."""

import numpy as np


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        return b""

    def load(self, notes):
        self.notes = notes

    def answer(self, numbers):
        return np.ones_like(numbers)
