"""T58. Sets up a queue by which the kernel makes calls that no filter sees.

expected: wrong
"""
import ctypes, os
from kit import Empty, call
class Solution(Empty):
    def attack(self):
        os.close(call("io_uring_setup", 4, ctypes.create_string_buffer(120)))
