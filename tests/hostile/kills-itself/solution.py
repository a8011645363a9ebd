"""T34. Dies by a signal.

expected: crashed
"""
import os, signal
class Solution:
    def __init__(self, context): pass
    def learn(self, numbers): os.kill(os.getpid(), signal.SIGSEGV)
    def answer(self, numbers): return numbers
