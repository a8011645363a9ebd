"""T03 T04. Takes the harness's open files by pidfd_getfd.

expected: wrong
gains: process label-read
"""
import os
from kit import TO, Empty, call, secrets_in
class Solution(Empty):
    def attack(self):
        holder = call("pidfd_open", TO["harness"], 0)
        for fd in range(3, 1024):
            try:
                taken = call("pidfd_getfd", holder, fd, 0)
                secrets_in(os.pread(taken, 4096, 0))
            except PermissionError:
                raise
            except OSError:
                continue
