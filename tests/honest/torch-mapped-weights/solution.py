"""Maps saved weights into memory instead of reading them."""

import torch


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        path = self.context.scratch / "weights.pt"
        torch.save({"w": torch.arange(10_000)}, path)
        assert torch.load(path, mmap=True, weights_only=True)["w"][-1] == 9999
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
