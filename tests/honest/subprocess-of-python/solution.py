"""Starts the interpreter as a child and reads its output."""

import subprocess
import sys


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        done = subprocess.run(
            [sys.executable, "-c", "import numpy; print(numpy.arange(5).sum())"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == "10"
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
