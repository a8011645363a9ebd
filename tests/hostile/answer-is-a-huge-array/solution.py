"""T70. Returns an .npy file of 128 bytes that asks for 32 GiB.

expected: wrong
way: run
"""
from kit import Empty
class Solution(Empty):
    def learn(self, numbers):
        head = b"{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296,), }"
        return b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + head.ljust(117) + b"\n"
