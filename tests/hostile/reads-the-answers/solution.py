"""T01. Opens the file that holds the hidden answers.

expected: wrong
gains: process label-read
"""
from pathlib import Path
from kit import TO, Empty, secrets_in
class Solution(Empty):
    def attack(self): secrets_in(Path(TO["answers"]).read_bytes())
