"""Traces a model and saves it as TorchScript."""

import warnings
import torch


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            traced = torch.jit.trace(torch.nn.Linear(4, 4), torch.rand(1, 4))
            path = str(self.context.scratch / "traced.pt")
            traced.save(path)
            assert torch.jit.load(path)(torch.rand(2, 4)).shape == (2, 4)
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
