"""T72 T18. Answers the present request with the frame of the one before.

expected: protocol_error
"""
import os
import numpy as np
from kit import Empty, asked, ours
class Solution(Empty):
    before = b""
    def answer(self, numbers):
        frame, wire = asked()
        if self.before:
            os.write(ours(), self.before)
        out = np.ones(len(numbers), dtype=np.int64)
        self.before = wire.pack(wire.RESULT, 0, frame.nonce, frame.item, out.nbytes) + out.tobytes()
        return out
