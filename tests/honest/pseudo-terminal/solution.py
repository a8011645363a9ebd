"""Runs a tool on a pseudo-terminal, as progress bars want it."""

import os
import pty


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        master, slave = pty.openpty()
        os.write(slave, b"x\n")
        assert os.read(master, 1) == b"x"
        os.close(master)
        os.close(slave)
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
