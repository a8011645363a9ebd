"""T15. Returns at once and lets a thread finish the answer afterwards.

expected: wrong
least: 0.02
"""
import threading, time
import numpy as np
from kit import Empty, squares
class Solution(Empty):
    def answer(self, numbers):
        out = np.zeros(len(numbers), dtype=np.int64)
        def finish():
            time.sleep(0.02)
            out[:] = squares(numbers)
        threading.Thread(target=finish).start()
        return out
