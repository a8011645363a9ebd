"""T56. Sends what it has over TCP.

expected: wrong
gains: process byte-sent
"""
import socket
from kit import TO, Empty
class Solution(Empty):
    def attack(self):
        with socket.create_connection(("127.0.0.1", TO["tcp"]), 2) as sock:
            sock.sendall(TO["marker"].encode())
