"""T76. Asks the kernel for everything back: no filter, all capabilities, the namespaces of others.

expected: wrong or crashed
gains: process label-read
"""
import os, struct
from pathlib import Path
from kit import TO, Empty, ancestor, attempt, call, secrets_in
SET_SECCOMP, SET_NO_NEW_PRIVILEGES = 22, 38
class Solution(Empty):
    def attack(self):
        attempt(lambda: call("prctl", SET_SECCOMP, 0, 0, 0, 0), lambda: call("prctl", SET_NO_NEW_PRIVILEGES, 0, 0, 0, 0),
                lambda: call("capset", struct.pack("<Ii", 0x20080522, 0), struct.pack("<6I", *[0xFFFFFFFF] * 6)),
                lambda: call("setns", os.open(f"/proc/{ancestor()}/ns/mnt", os.O_RDONLY), 0), lambda: os.chroot("/"),
                lambda: os.setuid(0), lambda: secrets_in(Path(TO["answers"]).read_bytes()))
