"""T61 T74. Reads the machine's list of users and everybody's folders.

expected: wrong
gains: process label-read
"""
import os
from pathlib import Path
from kit import TO, Empty, attempt, secrets_in
class Solution(Empty):
    def attack(self):
        places = ["/etc/shadow", "/etc/passwd", TO["outside"] + "/home/.ssh/id_ed25519", TO["outside"] + "/others/solution.py"]
        attempt(*(lambda place=place: secrets_in(Path(place).read_bytes()) for place in places),
                lambda: os.listdir(TO["outside"]))
