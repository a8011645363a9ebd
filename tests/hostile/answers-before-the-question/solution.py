"""T23 T72. Sends an answer before it is asked.

expected: protocol_error
"""
import os, threading
import numpy as np
from kit import Empty, asked, ours
class Solution(Empty):
    def learn(self, numbers):
        frame, wire = asked()
        early = np.ones(60, dtype=np.int64).tobytes()
        os.write(ours(), wire.pack(wire.RESULT, 0, os.urandom(16), frame.item + 1, len(early)) + early)
        return b""
