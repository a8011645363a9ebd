"""T48. Sleeps past its limit.

expected: timeout
"""
import time
class Solution:
    def __init__(self, context): pass
    def learn(self, numbers): return b""
    def answer(self, numbers): time.sleep(3600)
