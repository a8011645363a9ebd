"""T56. Talks to a unix socket without a path, as a desktop's bus has.

expected: wrong
gains: process byte-sent
"""
import socket
from kit import TO, Empty
class Solution(Empty):
    def attack(self):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect("\0" + TO["abstract"])
            sock.sendall(TO["marker"].encode())
