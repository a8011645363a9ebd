"""Lowers its own priority and reads its limits."""

import os
import resource


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        os.nice(5)
        resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_STACK, resource.getrlimit(resource.RLIMIT_STACK))
        os.sched_setaffinity(0, os.sched_getaffinity(0))
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
