"""Reads how many cores and how much memory there is."""

import os
import platform
import psutil


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        assert os.cpu_count() and len(os.sched_getaffinity(0))
        assert psutil.virtual_memory().total and psutil.Process().memory_info().rss
        platform.platform()
        assert "processor" in open("/proc/cpuinfo").read()
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
