"""Writes below /tmp by that very name, and takes it away."""

import os
from pathlib import Path


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        path = Path("/tmp") / f"honest-{os.getpid()}"
        try:
            path.write_text("x")
        except OSError:  # not permitted, or a file system that is read-only here
            return b"not here"
        path.unlink()
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
