"""T63. Changes an installed library in place.

expected: wrong
gains: process file-written, mode-changed
"""
from pathlib import Path
from kit import TO, Empty
class Solution(Empty):
    def attack(self):
        library = Path(TO["site"]) / "library.py"
        library.chmod(0o666)
        library.write_text("OWNED = True\n")
