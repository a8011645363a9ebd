"""Answers the first class for every image."""

import numpy as np


class Solution:
    def __init__(self, context):
        pass

    def train(self, images, labels, pool, num_classes):
        return b"0"

    def load(self, model):
        pass

    def predict(self, images):
        return np.zeros(len(images), dtype=np.int64)
