"""Compiles a function with torch.compile, which calls the C++ compiler and fills its cache."""

import torch


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        compiled = torch.compile(lambda x: torch.sin(x) ** 2 + torch.cos(x) ** 2)
        assert torch.allclose(compiled(torch.rand(100)), torch.ones(100))
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
