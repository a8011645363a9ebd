"""expected: malformed. Lacks a phase."""
class Solution:
    def __init__(self, context): pass
    def learn(self, numbers): return b""
