"""T20 T21. Does the work of the next call in a thread, between its turns.

expected: ok
least: 0.01
"""
import threading, time
from kit import Empty, squares
class Solution(Empty):
    def __init__(self, context):
        super().__init__(context)
        self.ready = threading.Semaphore(0)
        threading.Thread(target=self.prepare, daemon=True).start()
    def prepare(self):
        while True:
            time.sleep(0.02)
            self.ready.release()
    def answer(self, numbers):
        while self.ready.acquire(blocking=False):
            pass
        self.ready.acquire()
        time.sleep(0.01)
        return squares(numbers)
