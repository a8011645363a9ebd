"""Hands over far more bytes than the limit: room for every augmented version of every image."""

import numpy as np


class Solution:
    def __init__(self, context):
        pass

    def train(self, images, labels, pool, num_classes):
        return np.tile(images, (64, 1, 1)).tobytes()

    def load(self, model):
        pass

    def predict(self, images):
        return np.arange(len(images), dtype=np.int64) % 2
