"""T67. Returns a pickle that runs a command in whoever loads it.

expected: wrong
way: run
"""
import os, pickle
from kit import TO, Empty
class Bomb:
    def __reduce__(self): return os.system, (f"touch {TO['outside']}/unpickled",)
class Solution(Empty):
    def learn(self, numbers): return pickle.dumps(Bomb())
