"""T54. Keeps the answer's shared memory and changes it after it was checked.

expected: wrong
numbers: 20000
"""
import os, threading, time
from kit import Empty, shared, squares
class Solution(Empty):
    def answer(self, numbers):
        kept, right = [os.dup(fd) for fd in shared("output")], squares(numbers).tobytes()
        def change():
            time.sleep(0.3)  # so long after the answer was given that a busy machine has copied it, too
            for fd in kept:
                os.pwrite(fd, right, 0)
        threading.Thread(target=change).start()
        return numbers * 0
