"""T58 T61. Becomes root in a user namespace of its own and mounts the answers elsewhere.

expected: wrong or crashed
gains: process label-read
"""
import os
from pathlib import Path
from kit import TO, Empty, attempt, call, secrets_in
NEW_USER, NEW_MOUNTS, BIND = 0x10000000, 0x20000, 4096
class Solution(Empty):
    def attack(self):
        uid, place = os.getuid(), self.context.scratch / "seen"
        place.touch()
        attempt(lambda: call("unshare", NEW_USER | NEW_MOUNTS),
                lambda: Path("/proc/self/uid_map").write_text(f"0 {uid} 1"),
                lambda: call("mount", TO["answers"].encode(), str(place).encode(), None, BIND, None),
                lambda: secrets_in(place.read_bytes()))
