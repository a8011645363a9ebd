"""T34. Raises SystemExit(0).

expected: crashed
"""
import sys
class Solution:
    def __init__(self, context): pass
    def learn(self, numbers): sys.exit(0)
    def answer(self, numbers): return numbers
