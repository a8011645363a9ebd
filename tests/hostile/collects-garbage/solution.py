"""T02. Searches every object that the interpreter knows for labels.

expected: wrong
"""
import gc
from kit import Empty, secrets_in
class Solution(Empty):
    def attack(self):
        for thing in gc.get_objects():
            if isinstance(thing, dict):
                for value in list(thing.values()):
                    if isinstance(value, (str, bytes)):
                        secrets_in(value if isinstance(value, bytes) else value.encode(errors="replace"))
