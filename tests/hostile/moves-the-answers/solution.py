"""T76 T61. Renames, links and truncates the answers without opening them.

expected: wrong
gains: process file-written, mode-changed
"""
import os
from kit import TO, Empty, attempt
class Solution(Empty):
    def attack(self):
        key, other = TO["key"], TO["key"] + ".moved"
        attempt(lambda: os.link(key, other), lambda: os.truncate(key, 1), lambda: os.chmod(key, 0o777),
                lambda: os.utime(key), lambda: os.rename(key, other), lambda: os.mkdir(TO["outside"] + "/made"),
                lambda: os.symlink("/", TO["outside"] + "/link"))
