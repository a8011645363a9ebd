"""Right everywhere."""


class Solution:
    def __init__(self, context):
        self.context = context

    def answer(self, numbers):
        return numbers * numbers % 97
