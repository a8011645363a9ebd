"""Calls the C library through ctypes."""

import ctypes
import ctypes.util


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        libc = ctypes.CDLL(None)
        assert libc.abs(-3) == 3
        buffer = ctypes.create_string_buffer(10)
        libc.snprintf(buffer, 10, b"%d", 42)
        assert buffer.value == b"42"
        ctypes.util.find_library("m")
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
