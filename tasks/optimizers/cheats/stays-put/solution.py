"""Asks for the start again and again, and hopes that a value known is a value saved."""

import starter


class Solution(starter.Solution):
    def __init__(self, context):
        pass

    def start(self, sizes, budget, points, values, gradients):
        self.points = points
        return points

    def step(self, told):
        return self.points
