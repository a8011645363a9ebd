"""T04. Opens what the harness has open, through its folder in /proc.

expected: wrong
gains: process label-read
"""
import os
from kit import TO, Empty, secrets_in
class Solution(Empty):
    def attack(self):
        folder = f"/proc/{TO['harness']}/fd"
        for name in os.listdir(folder):
            try:
                fd = os.open(f"{folder}/{name}", os.O_RDONLY | os.O_NONBLOCK)
                secrets_in(os.pread(fd, 4096, 0))
            except OSError:
                continue
