"""Changes a shared tensor in a process of torch.multiprocessing."""

import torch
import torch.multiprocessing as mp


def fill(tensor):
    tensor += 1


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        shared = torch.zeros(4).share_memory_()
        process = mp.get_context("fork").Process(target=fill, args=(shared,))
        process.start()
        process.join()
        assert shared.sum() == 4
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
