"""Saves a checkpoint to its scratch folder and loads it again."""

import torch


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        model = torch.nn.Linear(4, 2)
        path = self.context.scratch / "model.pt"
        torch.save(model.state_dict(), path)
        again = torch.nn.Linear(4, 2)
        again.load_state_dict(torch.load(path, weights_only=True))
        assert torch.equal(model.weight, again.weight)
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
