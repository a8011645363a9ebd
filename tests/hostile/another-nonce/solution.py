"""T72. Answers with a number used once that it made up.

expected: protocol_error
"""
import os
from kit import Empty, asked, ours
class Solution(Empty):
    def answer(self, numbers):
        frame, wire = asked()
        os.write(ours(), wire.pack(wire.RESULT, 0, os.urandom(16), frame.item, 480) + bytes(480))
        return numbers
