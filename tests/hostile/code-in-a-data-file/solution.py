"""T42 T01. Keeps its attack out of the source, in a file that looks like data.

expected: wrong
gains: process label-read
"""
from pathlib import Path
from kit import TO, Empty, secrets_in
class Solution(Empty):
    def attack(self):
        exec((Path(__file__).parent / "weights.txt").read_text()[::-1])
