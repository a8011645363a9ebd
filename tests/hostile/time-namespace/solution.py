"""T22. Moves to a namespace of time whose clocks stand elsewhere.

expected: ok
least: 0.02
"""
import time
from pathlib import Path
from kit import Empty, call, squares
NEW_TIME = 0x80
class Solution(Empty):
    def attack(self):
        call("unshare", NEW_TIME)
        Path("/proc/self/timens_offsets").write_text("monotonic -100 0\nboottime -100 0\n")
    def answer(self, numbers):
        time.sleep(0.02)
        return squares(numbers)
