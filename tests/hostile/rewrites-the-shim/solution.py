"""T12 T36. Replaces the shim's own functions, so that it answers before the work is done.

expected: wrong or crashed or protocol_error
"""
import sys
import numpy as np
from kit import Empty
class Solution(Empty):
    def attack(self):
        serve = sys.modules["harness.worker.serve"]
        serve._call = lambda solution, payload: (memoryview(np.zeros(60, dtype=np.int64).tobytes()),)
        serve._guard = lambda sock, frame, folder, work: work()
