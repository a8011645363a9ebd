"""Calls small tools of the system, and its own shell script."""

import subprocess


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        assert subprocess.run(["uname", "-s"], capture_output=True, check=True).stdout
        assert (
            subprocess.run("echo one | tr a-z A-Z", shell=True, capture_output=True, check=True).stdout
            == b"ONE\n"
        )
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
