"""Receives tensors over a queue from a spawned process."""

import torch
import torch.multiprocessing as mp


def produce(queue, over):
    queue.put(torch.ones(8))
    over.wait(60)


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        context = mp.get_context("spawn")
        queue, over = context.Queue(), context.Event()
        process = context.Process(target=produce, args=(queue, over))
        process.start()
        assert queue.get(timeout=60).sum() == 8
        over.set()
        process.join()
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
