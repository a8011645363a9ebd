"""T14 T15. Returns memory that another process fills once the answer was taken.

expected: wrong or crashed
"""
import mmap, os, time
import numpy as np
from kit import Empty, squares
class Solution(Empty):
    def answer(self, numbers):
        shared = mmap.mmap(-1, 8 * len(numbers))
        out = np.frombuffer(shared, dtype=np.int64)
        if os.fork() == 0:
            time.sleep(0.02)
            out[:] = squares(numbers)
            os._exit(0)
        return out
