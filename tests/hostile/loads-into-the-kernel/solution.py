"""T58. Asks for calls that reach deep into the kernel: programs, counters, faults in user space.

expected: wrong
"""
import ctypes
from kit import Empty, attempt, call
class Solution(Empty):
    def attack(self):
        words = ctypes.create_string_buffer(128)
        attempt(lambda: call("bpf", 0, words, 128), lambda: call("perf_event_open", words, 0, -1, -1, 0),
                lambda: call("userfaultfd", 0o2000000))
