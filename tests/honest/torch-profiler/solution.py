"""Profiles itself with torch's profiler and writes the trace."""

import torch


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
            torch.rand(64, 64) @ torch.rand(64, 64)
        path = self.context.scratch / "trace.json"
        profile.export_chrome_trace(str(path))
        assert path.stat().st_size
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
