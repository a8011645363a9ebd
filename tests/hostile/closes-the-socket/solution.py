"""T72. Hangs up on the harness and stays alive.

expected: protocol_error
"""
import os, stat, time
class Solution:
    def __init__(self, context): pass
    def learn(self, numbers):
        for fd in range(3, 1024):
            try:
                if stat.S_ISSOCK(os.fstat(fd).st_mode):
                    os.close(fd)
            except OSError:
                pass
        time.sleep(30)
    def answer(self, numbers): return numbers
