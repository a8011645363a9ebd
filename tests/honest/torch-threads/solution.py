"""Sets torch's threads to what it was given, and computes with them."""

import torch


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        torch.set_num_threads(self.context.threads)
        a = torch.rand(256, 256)
        assert (a @ a).shape == (256, 256)
        assert torch.get_num_threads() == self.context.threads
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
