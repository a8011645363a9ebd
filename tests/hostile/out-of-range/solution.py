"""T40. Forgets the modulus.

expected: malformed
"""
class Solution:
    def __init__(self, context): pass
    def learn(self, numbers): return b""
    def answer(self, numbers): return numbers * numbers
