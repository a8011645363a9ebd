"""T50 T44. Starts a thousand threads.

expected: wrong or crashed
"""
import threading
from kit import Empty
class Solution(Empty):
    def attack(self):
        threading.stack_size(64 * 1024)
        over = threading.Event()
        try:
            for _ in range(1000):
                threading.Thread(target=over.wait, daemon=True).start()
        finally:
            over.set()
