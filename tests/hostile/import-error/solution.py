"""T34. Imports what is not there.

expected: crashed
"""
import a_package_that_is_not_there
class Solution:
    def __init__(self, context): pass
