"""Trains a small network with an optimizer and a schedule."""

import torch


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        torch.manual_seed(self.context.seed)
        model = torch.nn.Sequential(torch.nn.Linear(1, 16), torch.nn.ReLU(), torch.nn.Linear(16, 1))
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
        x = torch.linspace(-1, 1, 64)[:, None]
        for _ in range(200):
            optimizer.zero_grad()
            loss = ((model(x) - x**2) ** 2).mean()
            loss.backward()
            optimizer.step()
        assert loss.item() < 0.1
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
