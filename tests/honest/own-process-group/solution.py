"""Starts a child in a session of its own and waits for it."""

import subprocess
import sys


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        child = subprocess.Popen([sys.executable, "-c", "pass"], start_new_session=True)
        assert child.wait(timeout=60) == 0
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
