"""T64 T10. Leaves code where caches lie when no variable says otherwise.

expected: wrong
gains: process predecessor-read, file-left
way: twice
"""
from pathlib import Path
from kit import TO, Empty, attempt, say
class Solution(Empty):
    def attack(self):
        for name in (f"torchinductor_{TO['marker']}", f"torch_extensions_{TO['marker']}"):
            place = Path("/tmp") / name / "kernel.so"
            def leave(place=place):
                if TO["role"] == "leave":
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.write_text(TO["token"])
                else:
                    say(place.read_bytes())
            attempt(leave)
