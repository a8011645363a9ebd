"""Passes bytes through a named pipe in its scratch folder."""

import os
import threading


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        path = self.context.scratch / "pipe"
        os.mkfifo(path)
        writer = threading.Thread(target=lambda: path.write_bytes(b"x"))
        writer.start()
        assert path.read_bytes() == b"x"
        writer.join()
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
