"""T31 T72. Answers with a header that is right in every field, and lets the shim answer once more.

expected: protocol_error
"""
import os
import numpy as np
from kit import Empty, asked, ours
class Solution(Empty):
    def answer(self, numbers):
        frame, wire = asked()
        out = np.ones(len(numbers), dtype=np.int64)
        os.write(ours(), wire.pack(wire.RESULT, 0, frame.nonce, frame.item, out.nbytes) + out.tobytes())
        return out
