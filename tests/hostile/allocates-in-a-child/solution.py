"""T45. Lets a child allocate.

expected: out_of_memory
"""
import os, time
class Solution:
    def __init__(self, context): pass
    def learn(self, numbers):
        if os.fork() == 0:
            held = []
            while True:
                held.append(b"x" * 10_000_000)
        os.wait()
        time.sleep(4)
        return b""
    def answer(self, numbers): return numbers
