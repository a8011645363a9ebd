"""T34. Raises while it is constructed.

expected: crashed
"""
class Solution:
    def __init__(self, context): raise RuntimeError("not today")
    def learn(self, numbers): return b""
    def answer(self, numbers): return numbers
