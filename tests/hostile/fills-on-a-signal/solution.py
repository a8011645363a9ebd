"""T14 T15. Returns at once and fills its answer in a timer's signal handler.

expected: wrong
"""
import signal
import numpy as np
from kit import Empty, squares
class Solution(Empty):
    def answer(self, numbers):
        out = np.zeros(len(numbers), dtype=np.int64)
        def fill(*_): out[:] = squares(numbers)
        signal.signal(signal.SIGVTALRM, fill)
        signal.signal(signal.SIGUSR1, fill)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.001)
        return out
