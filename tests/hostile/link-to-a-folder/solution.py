"""T11. Ships a symbolic link to the folder of the answers.

expected: refused
brings: folder-link
"""
from pathlib import Path
from kit import Empty, secrets_in
class Solution(Empty):
    def attack(self): secrets_in((Path(__file__).parent / "answers.json" / "answers.json").read_bytes())
