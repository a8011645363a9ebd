"""T25 T26. Puts line ends into its name and into that of a file it maps, so that the kernel's word of it has lines of its own.

expected: ok
holds: 200
"""
import mmap
import os
import time
from kit import Empty, attempt, squares
class Solution(Empty):
    def rename(self):
        with open("/proc/self/comm", "w") as file:
            file.write("\rVmRSS: none")
    def forge(self):
        folder = f"{os.environ['TMPDIR']}/x\rzz-yy rw-p 0 00:01 5 "
        os.makedirs(folder)
        with open(f"{folder}/memfd:input (deleted)", "w+b") as file:
            file.write(bytes(2 << 20))
            file.flush()
            self.mapped = mmap.mmap(file.fileno(), 2 << 20)
        for at in range(0, 2 << 20, 4096):
            self.mapped[at] = 1
    def attack(self):
        attempt(self.rename)  # a box lets nobody write there
        attempt(self.forge)
        time.sleep(0.3)
        held = bytes(1) * 200_000_000
        time.sleep(0.3)
        del held
    def answer(self, numbers): return squares(numbers)
