"""T34. Asks for more than there is and says so.

expected: out_of_memory
"""
class Solution:
    def __init__(self, context): pass
    def learn(self, numbers): raise MemoryError("a petabyte")
    def answer(self, numbers): return numbers
