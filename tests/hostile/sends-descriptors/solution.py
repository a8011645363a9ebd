"""T72 T50. Sends a hundred descriptors to the harness along with its answer.

expected: crashed
"""
import os, socket
import numpy as np
from kit import Empty, asked, ours
class Solution(Empty):
    def answer(self, numbers):
        frame, wire = asked()
        out = bytes(8 * len(numbers))
        with socket.socket(fileno=os.dup(ours())) as sock:
            socket.send_fds(sock, [wire.pack(wire.RESULT, 0, frame.nonce, frame.item, len(out)) + out], [0] * 100)
        os._exit(0)
