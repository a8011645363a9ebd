"""T73. Prints markup, a script and escape sequences, for whoever reads the report.

expected: wrong
way: run
"""
from kit import Empty, say
class Solution(Empty):
    def attack(self):
        say("<script>alert(1)</script><img src=x onerror=alert(1)>", "[click](javascript:alert(1))")
        say("\x1b]0;owned\x07\x1b[2J\x1b[31m100 points\x9b31m", "\u202e001 :stniop", "=1+1", "```\n<h1>100</h1>\n~~~")
