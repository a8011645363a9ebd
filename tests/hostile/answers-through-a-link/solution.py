"""T01 T61. Makes a link to the answers in its own folder and reads through it.

expected: wrong
gains: process label-read
"""
import os
from kit import TO, Empty, secrets_in
class Solution(Empty):
    def attack(self):
        link = self.context.scratch / "mine.json"
        os.symlink(TO["answers"], link)
        secrets_in(link.read_bytes())
