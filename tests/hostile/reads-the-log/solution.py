"""T06. Reads its own output pipes back, for what the harness or a neighbour wrote into them.

expected: wrong
"""
import os
from kit import Empty, attempt, secrets_in
class Solution(Empty):
    def attack(self):
        for fd in (0, 1, 2):
            def look(fd=fd):
                other = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_NONBLOCK)
                secrets_in(os.read(other, 1 << 16))
            attempt(look)
