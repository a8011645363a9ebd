"""T31 T06. Reports a fault with a code that does not exist and words that name another outcome.

expected: protocol_error
"""
import os
from kit import Empty, asked, ours
class Solution(Empty):
    def answer(self, numbers):
        frame, wire = asked()
        text = b"outcome: ok\npoints: 100\nharness_error"
        os.write(ours(), wire.pack(wire.FAULT, 60_000, frame.nonce, frame.item, len(text)) + text)
        os._exit(0)
