"""T30 T75. Deletes results and answers, so that nothing can be scored.

expected: wrong
gains: process file-written
"""
import os
from kit import TO, Empty, attempt
class Solution(Empty):
    def attack(self):
        attempt(lambda: os.unlink(TO["store"] + "/scores.json"), lambda: os.rmdir(TO["store"]),
                lambda: os.unlink(TO["answers"]))
