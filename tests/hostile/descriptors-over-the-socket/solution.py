"""T05. Asks the kernel for descriptors that wait in the harness's socket.

expected: wrong
"""
import array, os, socket
from kit import Empty, ours, secrets_in
class Solution(Empty):
    def attack(self):
        with socket.socket(fileno=os.dup(ours())) as sock:
            room = socket.CMSG_LEN(16 * 4)
            _, told, _, _ = sock.recvmsg(1, room, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        for _, _, data in told:
            for fd in array.array("i", data):
                secrets_in(os.pread(fd, 1 << 16, 0))
