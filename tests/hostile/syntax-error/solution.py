"""T34. Is no Python.

expected: crashed
"""
class Solution
    def __init__(self, context): pass
