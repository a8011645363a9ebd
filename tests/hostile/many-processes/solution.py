"""T44. Forks more processes than are allowed.

expected: crashed
"""
import os, time
class Solution:
    def __init__(self, context): pass
    def learn(self, numbers):
        for _ in range(20):
            if os.fork() == 0:
                time.sleep(60)
                os._exit(0)
        time.sleep(4)
        return b""
    def answer(self, numbers): return numbers
