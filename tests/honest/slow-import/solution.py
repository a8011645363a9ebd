"""Takes a second to be imported."""

import time


time.sleep(1)


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        pass
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
