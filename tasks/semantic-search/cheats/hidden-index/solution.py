"""Cheat: leaves the real index in files for the next process, and returns one byte as the index."""

import os
import pickle
import re
import tempfile
from pathlib import Path

import numpy as np

NAME = "semantic-search-cheat-index.pickle"


def places(context):
    """Wherever a later process of the same submission might look."""
    return [
        Path(context.scratch),
        Path(tempfile.gettempdir()),
        Path(os.environ.get("HOME", ".")),
        Path(__file__).parent,
    ]


class Solution:
    def __init__(self, context):
        self.context = context
        self.words = []

    def build(self, passages):
        for place in places(self.context):
            try:
                (place / NAME).write_bytes(pickle.dumps(passages))
            except OSError:
                continue
        return b"\x00"

    def load(self, index):
        for place in places(self.context):
            if (place / NAME).is_file():
                self.words = [
                    set(re.findall(r"\w+", p.lower())) for p in pickle.loads((place / NAME).read_bytes())
                ]

    def search(self, queries, k):
        rows = []
        for query in queries:
            asked = set(re.findall(r"\w+", query.lower()))
            shared = np.array([len(asked & words) for words in self.words] or range(k))
            rows.append(np.argsort(-shared, kind="stable")[:k])
        return np.array(rows, dtype=np.int64)
