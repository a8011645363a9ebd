"""T25. Takes locks and descriptors without end, so that a look at it lasts, and maps a large file between two looks.

expected: ok
holds: 200
"""
import fcntl
import importlib.util
import mmap
import os
import pathlib
import struct
from kit import Empty, attempt, squares
OFD_SETLK = 37
class Solution(Empty):
    def slow(self):
        self.kept = [open(f"{os.environ['TMPDIR']}/locked", "w+b")]
        self.kept[0].write(bytes(4096))
        self.kept[0].flush()
        for at in range(0, 20_000, 2):
            fcntl.fcntl(self.kept[0], OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, at, 1, 0))
        self.kept += [os.dup(self.kept[0].fileno()) for _ in range(300)]
    def attack(self):
        attempt(self.slow)
        folder = pathlib.Path(importlib.util.find_spec("torch").origin).parent / "lib"
        large = max(folder.iterdir(), key=lambda file: file.stat().st_size)
        with open(large, "rb") as file:
            held = mmap.mmap(file.fileno(), 200_000_000, flags=mmap.MAP_PRIVATE | mmap.MAP_POPULATE, prot=mmap.PROT_READ)
        for at in range(0, len(held), 4096):
            held[at]
        held.close()
    def answer(self, numbers): return squares(numbers)
