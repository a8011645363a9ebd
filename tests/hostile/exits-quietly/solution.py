"""T34. Leaves with status 0, as if all were well.

expected: crashed
"""
import os
class Solution:
    def __init__(self, context): pass
    def learn(self, numbers): os._exit(0)
    def answer(self, numbers): return numbers
