"""expected: malformed. A phase does not take what the contract gives."""
class Solution:
    def __init__(self, context): pass
    def learn(self, numbers): return b""
    def answer(self): return 1
