"""T10. Leaves what its first stage learnt as the time at which a device was last changed.

expected: wrong
gains: process stage-read
way: stages
"""
import os
from kit import Empty, attempt, say
DEVICE = "/dev/full"
class Solution(Empty):
    def learn(self, numbers):
        before = os.stat(DEVICE).st_mtime_ns
        attempt(lambda: os.utime(DEVICE))
        if (now := os.stat(DEVICE).st_mtime_ns) != before:
            say(f"left {now & 0xFFFFFFFF:08x}")
        return b""
    def attack(self):
        say(f"found {os.stat(DEVICE).st_mtime_ns & 0xFFFFFFFF:08x}")
    def answer(self, numbers):
        attempt(self.attack)
        return super().answer(numbers)
