"""Keeps a cache and settings in its home folder."""

import os
from pathlib import Path


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        for place in (
            Path.home() / ".cache" / "own",
            Path.home() / ".config" / "own",
            Path(os.environ["XDG_CACHE_HOME"]) / "own",
        ):
            place.mkdir(parents=True)
            (place / "x").write_text("x")
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
