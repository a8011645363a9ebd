"""expected: malformed. Forgets the modulus."""
class Solution:
    def __init__(self, context): pass
    def learn(self, numbers): return b""
    def answer(self, numbers): return numbers * numbers
