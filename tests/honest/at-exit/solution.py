"""Registers what is to be done at its end, and finalizers."""

import atexit
import weakref


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        atexit.register(print, "over")
        thing = set()
        weakref.finalize(self, print, "gone")
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
