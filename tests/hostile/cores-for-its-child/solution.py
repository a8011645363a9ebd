"""T28. Widens the set of cores of a child, by the call itself and with every bit set.

expected: wrong
gains: process cores-taken
"""
import ctypes, os, time
from kit import Empty, call
class Solution(Empty):
    def attack(self):
        child = os.fork()
        if child == 0:
            time.sleep(0.3)
            os._exit(0)
        try:
            call("sched_setaffinity", child, 128, ctypes.create_string_buffer(b"\xff" * 128))
        finally:
            os.waitpid(child, 0)
