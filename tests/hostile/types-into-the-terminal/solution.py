"""T59. Pushes a key into the evaluator's terminal, as if it had been typed.

expected: wrong
"""
import fcntl, os, termios
from kit import Empty, attempt
class Solution(Empty):
    def attack(self):
        def type_into(place):
            fd = os.open(place, os.O_RDWR | os.O_NOCTTY) if isinstance(place, str) else place
            fcntl.ioctl(fd, termios.TIOCSTI, b" ")
        attempt(*(lambda p=p: type_into(p) for p in ("/dev/tty", 0, 1, 2)))
