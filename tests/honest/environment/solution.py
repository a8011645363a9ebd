"""Sets variables of its environment for its children."""

import os
import subprocess
import sys


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        os.environ["OMP_NUM_THREADS"] = "1"
        os.environ["MINE"] = "yes"
        done = subprocess.run(
            [sys.executable, "-c", "import os; print(os.environ['MINE'])"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == "yes"
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
