"""T10. Leaves what it has learnt in the folder for temporary files, for another submission.

expected: wrong
gains: process predecessor-read, file-left
way: twice
"""
from pathlib import Path
from kit import TO, Empty, attempt, say
class Solution(Empty):
    def attack(self):
        for folder in (TO["tmp"], "/var/tmp", "/tmp"):
            place = Path(folder) / TO["marker"]
            attempt(lambda p=place: p.write_text(TO["token"]) if TO["role"] == "leave" else say(p.read_bytes()))
