"""T47. Prints without end.

expected: malformed
"""
class Solution:
    def __init__(self, context): pass
    def learn(self, numbers):
        while True:
            print("x" * 10_000)
    def answer(self, numbers): return numbers
