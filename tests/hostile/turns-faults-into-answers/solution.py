"""T36. Replaces the shim's report of a fault by an answer.

expected: wrong or protocol_error or crashed
"""
import sys
import numpy as np
from kit import Empty
class Solution(Empty):
    def attack(self):
        wire = sys.modules["harness.worker.wire"]
        wire.fault = lambda sock, frame, code, text: wire.answer(sock, frame, np.zeros(60, dtype=np.int64).data, None)
    def answer(self, numbers): raise ValueError
