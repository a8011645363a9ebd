"""expected: crashed. Raises in a phase."""
class Solution:
    def __init__(self, context): pass
    def learn(self, numbers): return b""
    def answer(self, numbers): raise ValueError("no idea what a square is")
