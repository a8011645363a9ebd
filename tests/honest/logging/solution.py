"""Logs to a file, to standard error and by warnings."""

import logging
import sys
import warnings


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        log = logging.getLogger("honest")
        log.addHandler(logging.FileHandler(self.context.scratch / "log.txt"))
        log.addHandler(logging.StreamHandler(sys.stderr))
        log.warning("a word")
        warnings.warn("deprecated, says somebody", DeprecationWarning, stacklevel=1)
        assert (self.context.scratch / "log.txt").read_text() == "a word\n"
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
