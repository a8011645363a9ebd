"""Maps a file into memory and changes it there."""

import mmap


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        path = self.context.scratch / "mapped"
        path.write_bytes(bytes(10_000))
        with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
            memory[:5] = b"hello"
        assert path.read_bytes()[:5] == b"hello"
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
