"""T61. Reads the evaluator's private key.

expected: wrong
gains: process label-read
"""
from pathlib import Path
from kit import TO, Empty, secrets_in
class Solution(Empty):
    def attack(self): secrets_in(Path(TO["key"]).read_bytes())
