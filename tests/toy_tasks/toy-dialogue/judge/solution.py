"""Reads the note of toy-dialogue."""

import numpy as np


class Solution:
    """A note of digits is its number, of the letters "crash" a fault, and anything else -1."""

    def __init__(self, context):
        self.context = context

    def read(self, note):
        if note == b"crash":
            raise RuntimeError("the judge fell over")
        return np.array([int(note) if note.isdigit() else -1], dtype=np.int64)
