"""Gives the weights back as they came, and losses as they look at the beginning: no memory at all."""

import json

import numpy as np


class Solution:
    def __init__(self, context):
        pass

    def train(self, weights, tokens, targets, settings):
        self.flat = weights
        return np.full(len(tokens), np.log(json.loads(settings)["vocabulary"]), dtype=np.float32)

    def weights(self):
        return self.flat
