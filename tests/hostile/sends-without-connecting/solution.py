"""T56. Sends with the first packet of a TCP connection, without the call to connect.

expected: wrong
gains: process byte-sent
"""
import socket
from kit import TO, Empty, attempt
FAST_OPEN = 0x20000000
class Solution(Empty):
    def attack(self):
        def six():
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
                sock.sendto(TO["marker"].encode(), ("::ffff:127.0.0.1", TO["udp"]))
        def fast():
            with socket.socket() as sock:
                sock.sendto(TO["marker"].encode(), FAST_OPEN, ("127.0.0.1", TO["tcp"]))
        attempt(six, fast)
