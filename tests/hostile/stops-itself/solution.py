"""T48. Suspends itself, so that no politeness reaches it.

expected: timeout
"""
import os, signal
class Solution:
    def __init__(self, context): pass
    def learn(self, numbers): return b""
    def answer(self, numbers): os.kill(os.getpid(), signal.SIGSTOP)
