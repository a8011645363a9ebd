"""T60. Reads its own environment for tokens.

expected: wrong
"""
import os
from pathlib import Path
from kit import Empty, secrets_in
class Solution(Empty):
    def attack(self):
        secrets_in(repr(dict(os.environ)).encode())
        secrets_in(Path("/proc/self/environ").read_bytes())
