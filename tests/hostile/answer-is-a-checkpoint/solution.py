"""T67. Returns a checkpoint in torch's format whose pickle runs a command.

expected: wrong
way: run
"""
import io, os, pickle, zipfile
from kit import TO, Empty
class Bomb:
    def __reduce__(self): return os.system, (f"touch {TO['outside']}/loaded",)
class Solution(Empty):
    def learn(self, numbers):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr("archive/data.pkl", pickle.dumps(Bomb()))
            archive.writestr("archive/version", "3\n")
        return out.getvalue()
