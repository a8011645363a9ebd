"""T71. Returns a joblib file that runs a command in whoever loads it.

expected: wrong
"""
import os, pickle, zlib
from kit import TO, Empty
class Bomb:
    def __reduce__(self): return os.system, (f"touch {TO['outside']}/joblib",)
class Solution(Empty):
    def learn(self, numbers): return zlib.compress(pickle.dumps({"model": Bomb()}))
