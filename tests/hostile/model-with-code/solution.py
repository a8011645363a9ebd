"""T68. Brings a model whose configuration names code to be run when it is loaded.

expected: wrong
"""
from kit import Empty
class Solution(Empty):
    pass
