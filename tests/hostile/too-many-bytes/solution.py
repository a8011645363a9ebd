"""T41. Returns more bytes than are allowed.

expected: malformed
"""
class Solution:
    def __init__(self, context): pass
    def learn(self, numbers): return bytes(100_000)
    def answer(self, numbers): return numbers * numbers % 97
