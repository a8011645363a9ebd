"""T31 T34. Sends the harness's own words for an end in good order, in place of answers.

expected: protocol_error
"""
import os
from kit import Empty, asked, ours
class Solution(Empty):
    def answer(self, numbers):
        frame, wire = asked()
        os.write(ours(), wire.pack(wire.BYE, 0, frame.nonce, frame.item, 16) + bytes(16))
        os._exit(0)
