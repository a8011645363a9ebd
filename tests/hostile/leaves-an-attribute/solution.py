"""T10. Leaves what its first stage learnt as an attribute of the folders that every worker has.

expected: wrong
gains: process stage-read
way: stages
"""
import os
import secrets
from kit import Empty, attempt, say
PLACES = ("/tmp", "/dev/shm", "/dev", os.path.expanduser("~"), os.path.dirname(os.getcwd()))
class Solution(Empty):
    def learn(self, numbers):
        word = secrets.token_hex(4)
        say(f"left {word}")
        for place in PLACES:
            attempt(lambda p=place: os.setxattr(p, "user.learnt", word.encode()))
        return b""
    def attack(self):
        for place in PLACES:
            attempt(lambda p=place: say("found " + os.getxattr(p, "user.learnt").decode()),
                    lambda p=place: os.removexattr(p, "user.learnt"))
    def answer(self, numbers):
        attempt(self.attack)
        return super().answer(numbers)
