"""T10. Leaves what it has learnt in a POSIX message queue.

expected: wrong
gains: process predecessor-read, file-left
way: twice
"""
import ctypes, os
from kit import TO, Empty, call, libc, say
class Solution(Empty):
    def attack(self):
        queue = call("mq_open", f"/{TO['marker']}".encode(), os.O_CREAT | os.O_RDWR | os.O_NONBLOCK, 0o666, None)
        if TO["role"] == "leave":
            call("mq_send", queue, TO["token"].encode(), len(TO["token"]), 0)
        else:
            words = ctypes.create_string_buffer(1 << 16)
            call("mq_receive", queue, words, len(words), None)
            say(words.value)
