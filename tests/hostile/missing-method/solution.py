"""T34. Lacks a phase.

expected: malformed
"""
class Solution:
    def __init__(self, context): pass
    def learn(self, numbers): return b""
