"""Writes and reads weights as safetensors."""

import torch
from safetensors.torch import load_file, save_file


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        path = self.context.scratch / "weights.safetensors"
        save_file({"w": torch.ones(100)}, path)
        assert load_file(path)["w"].sum() == 100
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
