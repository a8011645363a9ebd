"""T44. Forks in every process it has forked, up to four hundred.

expected: crashed or timeout or wrong
"""
import os, time
from kit import Empty, die_in
class Solution(Empty):
    def attack(self):
        counter = os.pipe()
        os.write(counter[1], b"x" * 400)
        os.set_blocking(counter[0], False)
        while True:
            try:
                if not os.read(counter[0], 1):
                    break
                if os.fork() == 0:
                    die_in(10)
            except OSError:
                break
        time.sleep(2)
