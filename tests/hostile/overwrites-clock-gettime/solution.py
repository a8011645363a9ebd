"""T13. Overwrites the machine code of clock_gettime in its process.

expected: ok or crashed
least: 0.02
"""
import ctypes, mmap, platform
from kit import Empty, attempt, libc, squares
CODE = {"x86_64": b"\x31\xc0\xc3", "aarch64": b"\x00\x00\x80\x52\xc0\x03\x5f\xd6"}
class Solution(Empty):
    def attack(self):
        at = ctypes.cast(libc.clock_gettime, ctypes.c_void_p).value
        page = at & ~(mmap.PAGESIZE - 1)
        if libc.mprotect(ctypes.c_void_p(page), 2 * mmap.PAGESIZE, 7):
            raise PermissionError("mprotect")
        code = CODE[platform.machine()]
        ctypes.memmove(at, code, len(code))
    def answer(self, numbers):
        libc.usleep(20_000)
        return squares(numbers)
