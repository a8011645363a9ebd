"""T56. Tries the families of sockets that a network namespace does not cover.

expected: wrong
"""
import socket
from kit import TO, Empty, attempt
def vsock():
    with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as sock:
        sock.settimeout(0.5)
        sock.connect((1, TO["tcp"]))
        sock.sendall(TO["marker"].encode())
def netlink():
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sock:
        sock.bind((0, 0))
def packets():
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()
class Solution(Empty):
    def attack(self): attempt(vsock, netlink, packets)
