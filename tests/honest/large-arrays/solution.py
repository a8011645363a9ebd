"""Works on arrays of fifty megabytes and keeps one."""

import numpy as np


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        self.kept = np.ones(50_000_000 // 8)
        (self.context.scratch / "kept.bin").write_bytes(self.kept.tobytes())
        assert np.fromfile(self.context.scratch / "kept.bin").sum() == self.kept.size
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
