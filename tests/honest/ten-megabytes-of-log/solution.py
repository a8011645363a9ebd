"""Prints ten megabytes, which is below its limit."""


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        for number in range(10_000):
            print(f"{number:06d} " + "x" * 1000)
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
