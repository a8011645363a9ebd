"""Talks to a child over multiprocessing's pipe."""

import multiprocessing


def echo(pipe):
    pipe.send(pipe.recv())


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        context = multiprocessing.get_context("fork")
        ours, theirs = context.Pipe()
        process = context.Process(target=echo, args=(theirs,))
        process.start()
        ours.send({"a": list(range(1000))})
        assert ours.recv() == {"a": list(range(1000))}
        process.join()
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
