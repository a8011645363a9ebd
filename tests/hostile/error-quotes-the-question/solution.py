"""T06. Raises an error that carries every frame above it, hoping that the feedback prints them.

expected: crashed
"""
import sys
from kit import Empty, secrets_in
class Solution(Empty):
    def answer(self, numbers):
        told, frame = [], sys._getframe()
        while frame := frame.f_back:
            told.append(repr(frame.f_locals))
        secrets_in("".join(told).encode())
        raise RuntimeError("".join(told)[:100_000])
