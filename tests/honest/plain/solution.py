"""Prints, uses scratch, a thread and a child process, and is right."""

import subprocess, sys, threading


class Solution:
    def __init__(self, context):
        self.context = context
        print("ready on", context.device)

    def learn(self, numbers):
        (self.context.scratch / "notes.txt").write_text("seen")
        worker = threading.Thread(target=lambda: None)
        worker.start()
        worker.join()
        subprocess.run([sys.executable, "-c", "print(1)"], check=True)
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
