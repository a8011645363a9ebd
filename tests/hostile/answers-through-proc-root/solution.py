"""T01 T04. Reaches the answers through the harness's root and working directory in /proc.

expected: wrong
gains: process label-read
"""
from pathlib import Path
from kit import TO, Empty, attempt, secrets_in
class Solution(Empty):
    def attack(self):
        for door in (f"/proc/{TO['harness']}/root", "/proc/1/root", "/proc/self/root"):
            attempt(lambda door=door: secrets_in(Path(door + TO["answers"]).read_bytes()))
