"""T69. Returns the start and the end of a Parquet file, and lengths that are not true between.

expected: wrong
"""
from kit import Empty
class Solution(Empty):
    def learn(self, numbers): return b"PAR1" + b"\x15\xff" * 900 + (0x7FFFFFFF).to_bytes(4, "little") + b"PAR1"
