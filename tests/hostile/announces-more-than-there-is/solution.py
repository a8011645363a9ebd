"""T41 T72. Announces an answer of 2 to the 63 bytes.

expected: protocol_error
"""
import os, time
from kit import Empty, asked, ours
class Solution(Empty):
    def answer(self, numbers):
        frame, wire = asked()
        os.write(ours(), wire.pack(wire.RESULT, 0, frame.nonce, frame.item, 1 << 63))
        time.sleep(1)
        return numbers
