"""T10 T58. Leaves what it has learnt in the kernel's keyring of its user.

expected: wrong
gains: process predecessor-read
way: twice
"""
import ctypes
from kit import TO, Empty, call, say
USER_KEYRING, SEARCH, READ, SET_TIMEOUT, SET_PERMISSIONS = -4, 10, 11, 15, 5
class Solution(Empty):
    def attack(self):
        name = TO["marker"].encode()
        if TO["role"] == "leave":
            token = TO["token"].encode()
            number = call("add_key", b"user", name, token, len(token), USER_KEYRING)
            call("keyctl", SET_TIMEOUT, number, 20)
            call("keyctl", SET_PERMISSIONS, number, 0x3F3F0000)
        else:
            number = call("keyctl", SEARCH, USER_KEYRING, b"user", name, 0)
            words = ctypes.create_string_buffer(256)
            call("keyctl", READ, number, words, 256)
            say(words.value)
