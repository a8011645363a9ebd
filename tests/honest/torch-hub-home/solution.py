"""Asks torch where its hub's folder is, and makes it."""

import os
import torch


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        folder = torch.hub.get_dir()
        os.makedirs(folder, exist_ok=True)
        assert os.access(folder, os.W_OK)
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
