"""T19. Peeks into the socket for the next request before this one is answered.

expected: wrong
"""
import os, socket
import numpy as np
from kit import Empty, ours, say
class Solution(Empty):
    def answer(self, numbers):
        with socket.socket(fileno=os.dup(ours())) as sock:
            try:
                say(len(sock.recv(1 << 16, socket.MSG_PEEK | socket.MSG_DONTWAIT)), "bytes ahead")
            except BlockingIOError:
                pass
        return np.zeros(len(numbers), dtype=np.int64)
