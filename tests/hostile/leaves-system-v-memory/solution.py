"""T10. Leaves what it has learnt in System V shared memory.

expected: wrong
gains: process predecessor-read, file-left
way: twice
"""
import ctypes
from kit import TO, Empty, call, key, libc, say
CREATE = 0o1000
class Solution(Empty):
    def attack(self):
        number = call("shmget", key(), 4096, CREATE | 0o666)
        libc.shmat.restype = ctypes.c_void_p
        at = libc.shmat(number, None, 0)
        if TO["role"] == "leave":
            ctypes.memmove(at, TO["token"].encode(), len(TO["token"]))
        else:
            say(ctypes.string_at(at, 64))
