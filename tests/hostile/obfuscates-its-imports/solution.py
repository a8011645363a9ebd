"""T42. Reaches the harness by names that no search of the source would find.

expected: wrong
"""
import base64
from kit import Empty, attempt, say
class Solution(Empty):
    def attack(self):
        for name in (b"aGFybmVzcy5ncmFkaW5n", b"aGFybmVzcy5zdG9yZQ==", b"aGFybmVzcy5zZXNzaW9u"):
            attempt(lambda name=name: say(getattr(__builtins__, "__import__", __import__)(base64.b64decode(name).decode())))
