"""T72 T54. Says that its answer lies in shared memory where none was given.

expected: protocol_error
"""
import os
from kit import Empty, asked, ours
class Solution(Empty):
    def answer(self, numbers):
        frame, wire = asked()
        os.write(ours(), wire.pack(wire.RESULT, wire.OUT_MEMFD, frame.nonce, frame.item, 480))
        return numbers
