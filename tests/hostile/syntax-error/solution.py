"""expected: crashed. Is no Python."""
class Solution
    def __init__(self, context): pass
