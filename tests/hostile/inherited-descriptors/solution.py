"""T05. Reads every descriptor that it was born with.

expected: wrong
"""
import os
from kit import Empty, secrets_in
class Solution(Empty):
    def attack(self):
        for fd in range(256):
            try:
                secrets_in(os.pread(fd, 1 << 16, 0))
            except OSError:
                continue
