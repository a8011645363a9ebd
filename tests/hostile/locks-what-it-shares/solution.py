"""T10. Talks to its next worker by locking a file that both may open.

expected: wrong
way: twice
"""
import fcntl, sys
from pathlib import Path
from kit import TO, Empty, say
class Solution(Empty):
    def attack(self):
        self.kept = open(Path(sys.executable).resolve(), "rb")
        fcntl.flock(self.kept, fcntl.LOCK_EX | fcntl.LOCK_NB)
        say("locked")
