"""T62. Reads the command line of the harness for paths and names.

expected: wrong
gains: process host-seen
"""
from pathlib import Path
from kit import TO, Empty, attempt, secrets_in
class Solution(Empty):
    def attack(self):
        attempt(*(lambda pid=pid: secrets_in(Path(f"/proc/{pid}/cmdline").read_bytes()) for pid in (TO["harness"], 1)))
