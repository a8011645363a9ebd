"""T73. Raises an error whose words are markup, a table's columns and escape sequences.

expected: crashed
way: run
"""
from kit import Empty
class Solution(Empty):
    def answer(self, numbers):
        raise ValueError("</pre><script>alert(1)</script>|a|b|\n|-|-|\n![x](https://127.0.0.1/x) \x1b[8m \x1b]8;;http://127.0.0.1\x07link")
