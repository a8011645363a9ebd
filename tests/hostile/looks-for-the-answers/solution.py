"""T01. Walks the folders above its own for files that look like answers.

expected: wrong
gains: process label-read
"""
import os
from pathlib import Path
from kit import TO, Empty, secrets_in
class Solution(Empty):
    def attack(self):
        for base, folders, names in os.walk(Path(TO["outside"]).parent):
            for name in names:
                if name.endswith((".json", ".npz", ".parquet", ".db")):
                    secrets_in((Path(base) / name).read_bytes())
