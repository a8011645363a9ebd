"""T31 T72. Writes its own bytes into the harness's socket.

expected: protocol_error
"""
import os, stat
class Solution:
    def __init__(self, context): pass
    def learn(self, numbers):
        for fd in range(3, 1024):
            try:
                if stat.S_ISSOCK(os.fstat(fd).st_mode):
                    os.write(fd, b"points: 100\n" * 100)
            except OSError:
                pass
        return b""
    def answer(self, numbers): return numbers
