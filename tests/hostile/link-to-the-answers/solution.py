"""T11. Ships a symbolic link to the answers, for the harness to follow.

expected: refused
brings: symlink
"""
from pathlib import Path
from kit import Empty, secrets_in
class Solution(Empty):
    def attack(self): secrets_in((Path(__file__).parent / "answers.json").read_bytes())
