"""T11. Ships a hard link to the answers: a plain file that is another's.

expected: refused
brings: hardlink
"""
from pathlib import Path
from kit import Empty, secrets_in
class Solution(Empty):
    def attack(self): secrets_in((Path(__file__).parent / "answers.json").read_bytes())
