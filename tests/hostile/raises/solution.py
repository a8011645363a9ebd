"""T06. Raises in a phase.

expected: crashed
"""
class Solution:
    def __init__(self, context): pass
    def learn(self, numbers): return b""
    def answer(self, numbers): raise ValueError("no idea what a square is")
