"""T51. Makes the harness the first to be killed when memory runs out.

expected: wrong
gains: process parent-hurt
"""
from pathlib import Path
from kit import TO, Empty
class Solution(Empty):
    def attack(self): Path(f"/proc/{TO['harness']}/oom_score_adj").write_text("900")
