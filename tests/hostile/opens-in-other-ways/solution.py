"""T76 T01. Opens the answers by every other call that opens a file.

expected: wrong
gains: process label-read
"""
import ctypes, os, struct
from kit import TO, Empty, attempt, call, libc, secrets_in
class Solution(Empty):
    def attack(self):
        path = TO["answers"].encode()
        def openat2():
            return call("openat2", -100, path, struct.pack("<QQQ", 0, 0, 0), 24)
        def by_handle():
            handle = ctypes.create_string_buffer(struct.pack("<Ii", 128, 0) + bytes(128))
            call("name_to_handle_at", -100, path, handle, ctypes.byref(ctypes.c_int()), 0)
            return call("open_by_handle_at", os.open("/", os.O_RDONLY), handle, os.O_RDONLY)
        def by_path_descriptor():
            return os.open(f"/proc/self/fd/{os.open(path, os.O_PATH)}", os.O_RDONLY)
        def copied():
            return os.open(os.link(path, self.context.scratch / "x") or self.context.scratch / "x", os.O_RDONLY)
        attempt(*(lambda way=way: secrets_in(os.pread(way(), 4096, 0)) for way in
                  (openat2, by_handle, by_path_descriptor, copied)))
