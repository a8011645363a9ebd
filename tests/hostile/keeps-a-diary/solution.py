"""T07 T10. Notes each attempt in its home, to climb from one run to the next.

expected: wrong
way: twice
"""
import os
from pathlib import Path
from kit import TO, Empty, attempt, say
class Solution(Empty):
    def attack(self):
        for place in (os.environ["HOME"], os.environ["XDG_CACHE_HOME"], str(self.context.scratch)):
            diary = Path(place) / "diary"
            def write(diary=diary):
                say(diary.read_bytes() if diary.exists() else "nothing yet")
                diary.parent.mkdir(parents=True, exist_ok=True)
                diary.write_text(TO["token"])
            attempt(write)
