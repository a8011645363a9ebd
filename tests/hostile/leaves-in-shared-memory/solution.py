"""T10. Leaves what it has learnt in /dev/shm, for another submission to find.

expected: wrong
gains: process predecessor-read, file-left
way: twice
"""
from pathlib import Path
from kit import TO, Empty, say
class Solution(Empty):
    def attack(self):
        place = Path("/dev/shm") / TO["marker"]
        if TO["role"] == "leave":
            place.write_text(TO["token"])
        else:
            say(place.read_bytes())
