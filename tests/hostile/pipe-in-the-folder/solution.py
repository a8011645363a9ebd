"""T11 T48. Ships a named pipe that nobody writes to, so that whoever reads it waits for ever.

expected: refused
brings: fifo
"""
from kit import Empty
class Solution(Empty):
    pass
