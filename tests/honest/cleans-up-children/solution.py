"""Starts children and ends them itself, by terminate and by kill."""

import subprocess
import sys


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        children = [subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) for _ in range(3)]
        children[0].terminate()
        children[1].kill()
        children[2].send_signal(2)
        assert all(child.wait(timeout=30) != 0 for child in children)
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
