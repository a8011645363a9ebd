"""T63 T38. Makes its staged copy writable and rewrites itself for the next stage.

expected: wrong
"""
from pathlib import Path
from kit import Empty
class Solution(Empty):
    def attack(self):
        here = Path(__file__).parent
        here.chmod(0o777)
        Path(__file__).chmod(0o666)
        Path(__file__).write_text("raise SystemExit('rewritten')\n")
