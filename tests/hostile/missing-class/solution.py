"""T34. Has functions and no class.

expected: malformed
"""
def learn(numbers): return b""
def answer(numbers): return numbers
