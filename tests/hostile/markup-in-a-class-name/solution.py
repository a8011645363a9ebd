"""T73. Returns a value of a class whose name is markup.

expected: malformed
way: run
"""
from kit import Empty
class Solution(Empty):
    def answer(self, numbers):
        return type("<img src=x onerror=alert(1)>", (), {"__module__": "[a](javascript:alert(1))\x1b[2J"})()
