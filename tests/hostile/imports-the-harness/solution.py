"""T02. Looks for the grader to import.

expected: crashed
"""
import harness.grading.grade
class Solution:
    def __init__(self, context): pass
    def learn(self, numbers): return b""
    def answer(self, numbers): return numbers
