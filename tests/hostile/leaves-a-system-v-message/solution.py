"""T10. Leaves what it has learnt in a System V message queue.

expected: wrong
gains: process predecessor-read, file-left
way: twice
"""
import ctypes
from kit import TO, Empty, call, key, say
CREATE, DO_NOT_WAIT = 0o1000, 0o4000
class Solution(Empty):
    def attack(self):
        number = call("msgget", key(), CREATE | 0o666)
        if TO["role"] == "leave":
            call("msgsnd", number, (1).to_bytes(8, "little") + TO["token"].encode(), len(TO["token"]), DO_NOT_WAIT)
        else:
            words = ctypes.create_string_buffer(256)
            call("msgrcv", number, words, 200, 0, DO_NOT_WAIT)
            say(words.raw[8:])
