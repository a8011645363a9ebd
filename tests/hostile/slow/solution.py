"""T20. Right, and a hundred times slower than allowed.

expected: budget_exceeded
way: run
"""
import time
class Solution:
    def __init__(self, context): pass
    def learn(self, numbers): return b"notes"
    def answer(self, numbers):
        time.sleep(0.1)
        return numbers * numbers % 97
