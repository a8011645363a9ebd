"""T16. Returns an object that would compute its answer when it is looked at.

expected: malformed
"""
class Lazy:
    def __init__(self, numbers): self.numbers = numbers
    def __array__(self, dtype=None, copy=None): return self.numbers * self.numbers % 97
class Solution:
    def __init__(self, context): pass
    def learn(self, numbers): return b""
    def answer(self, numbers): return Lazy(numbers)
