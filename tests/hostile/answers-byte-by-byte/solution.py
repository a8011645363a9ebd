"""T48. Sends its answer one byte at a time, so that something always arrives.

expected: timeout
"""
import os, time
from kit import Empty, asked, ours
class Solution(Empty):
    def answer(self, numbers):
        frame, wire = asked()
        for byte in wire.pack(wire.RESULT, 0, frame.nonce, frame.item, 480) + bytes(480):
            os.write(ours(), bytes([byte]))
            time.sleep(0.25)
