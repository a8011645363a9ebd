"""T19. Sends answers to all requests with the first one.

expected: protocol_error
"""
import os
import numpy as np
from kit import Empty, asked, ours
class Solution(Empty):
    def answer(self, numbers):
        frame, wire = asked()
        right = (numbers * numbers % 97).astype(np.int64).tobytes()
        for item in range(8):
            os.write(ours(), wire.pack(wire.RESULT, 0, frame.nonce, frame.item + item, len(right)) + right)
        return np.zeros(len(numbers), dtype=np.int64)
