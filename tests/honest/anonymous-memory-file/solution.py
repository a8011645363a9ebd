"""Keeps bytes in an anonymous file and hands it to a child."""

import os
import subprocess
import sys


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        fd = os.memfd_create("mine")
        os.write(fd, b"hello")
        code = f"import os; print(os.pread({fd}, 5, 0).decode())"
        done = subprocess.run(
            [sys.executable, "-c", code], pass_fds=[fd], capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == "hello"
        os.close(fd)
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
