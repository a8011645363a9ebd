"""T10. Leaves what its first stage learnt as a lock and a signal set on the open file that is its standard input.

expected: wrong
way: stages
"""
import fcntl
import secrets
import struct
from kit import Empty, attempt, say
SET, GET, SET_SIGNAL, GET_SIGNAL = 37, 36, 10, 11
def lock(kind, start, length):
    return struct.pack("hhxxxxqqixxxx", kind, 0, start, length, 0)
class Solution(Empty):
    def learn(self, numbers):
        word = secrets.token_hex(4)
        say(f"left {word}")
        attempt(lambda: fcntl.fcntl(0, SET, lock(fcntl.F_WRLCK, int(word, 16), 1)),
                lambda: fcntl.fcntl(0, SET_SIGNAL, int(word[:1], 16) + 34))
        return b""
    def attack(self):
        with open("/dev/null", "r+") as anew:
            kind, _, start, *_ = struct.unpack("hhxxxxqqixxxx", fcntl.fcntl(anew, GET, lock(fcntl.F_WRLCK, 0, 0)))
        if kind != fcntl.F_UNLCK:
            say(f"found {start:08x}")
        say(f"its signal is {fcntl.fcntl(0, GET_SIGNAL)}")
    def answer(self, numbers):
        attempt(self.attack)
        return super().answer(numbers)
