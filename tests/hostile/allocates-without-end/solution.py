"""T45. Allocates and touches memory without end.

expected: out_of_memory
"""
class Solution:
    def __init__(self, context): pass
    def learn(self, numbers):
        held = []
        while True:
            held.append(b"x" * 10_000_000)
    def answer(self, numbers): return numbers
