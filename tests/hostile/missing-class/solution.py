"""expected: malformed. Has functions and no class."""
def learn(numbers): return b""
def answer(numbers): return numbers
