"""T61. Reads another candidate's submission.

expected: wrong
gains: process label-read
"""
from pathlib import Path
from kit import TO, Empty, secrets_in
class Solution(Empty):
    def attack(self): secrets_in(Path(TO["neighbour"]).read_bytes())
