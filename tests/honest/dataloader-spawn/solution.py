"""Reads batches with two spawn workers of torch's DataLoader."""

import torch


class Squares(torch.utils.data.Dataset):
    def __len__(self):
        return 64

    def __getitem__(self, at):
        return torch.full((8,), at)


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        loader = torch.utils.data.DataLoader(
            Squares(), batch_size=8, num_workers=2, multiprocessing_context="spawn"
        )
        for _ in range(1):
            assert sum(int(batch.sum()) for batch in loader) == 8 * sum(range(64))
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
