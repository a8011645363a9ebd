"""Pickles classes of its own, dataclasses and enumerations."""

import copy
import enum
import pickle
from dataclasses import dataclass


class Kind(enum.Enum):
    ODD = 1


@dataclass(frozen=True)
class Note:
    n: int
    kind: Kind


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        note = Note(1, Kind.ODD)
        assert pickle.loads(pickle.dumps(note)) == copy.deepcopy(note)
        path = self.context.scratch / "note.pkl"
        path.write_bytes(pickle.dumps([note] * 3))
        assert len(pickle.loads(path.read_bytes())) == 3
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
