"""T40. Returns text.

expected: malformed
"""
class Solution:
    def __init__(self, context): pass
    def learn(self, numbers): return b""
    def answer(self, numbers): return numbers.astype(str)
