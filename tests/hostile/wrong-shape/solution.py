"""T40. Returns a column instead of a row.

expected: malformed
"""
class Solution:
    def __init__(self, context): pass
    def learn(self, numbers): return b""
    def answer(self, numbers): return (numbers * numbers % 97).reshape(-1, 1)
