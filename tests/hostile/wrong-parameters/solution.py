"""T34. A phase does not take what the contract gives.

expected: malformed
"""
class Solution:
    def __init__(self, context): pass
    def learn(self, numbers): return b""
    def answer(self): return 1
