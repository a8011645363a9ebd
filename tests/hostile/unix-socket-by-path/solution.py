"""T56. Talks to a unix socket that has a path, as a container engine's has.

expected: wrong
gains: process byte-sent; confined byte-sent
"""
import socket
from kit import TO, Empty
class Solution(Empty):
    def attack(self):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(TO["unix"])
            sock.sendall(TO["marker"].encode())
