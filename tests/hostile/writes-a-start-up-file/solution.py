"""T63. Puts a .pth file into the folder of installed packages, which runs whenever Python starts.

expected: wrong
gains: process file-written
"""
from pathlib import Path
from kit import TO, Empty
class Solution(Empty):
    def attack(self): (Path(TO["site"]) / "own.pth").write_text("import os\n")
