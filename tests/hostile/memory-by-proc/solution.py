"""T03. Reads the harness's memory through /proc/PID/mem and searches it for answers.

expected: wrong
gains: process label-read
"""
import re
from kit import TO, Empty, secrets_in
class Solution(Empty):
    def attack(self):
        with open(f"/proc/{TO['harness']}/maps") as maps, open(f"/proc/{TO['harness']}/mem", "rb", 0) as memory:
            for line in maps:
                if " rw-p " not in line or "[v" in line:
                    continue
                begin, end = (int(part, 16) for part in line.split()[0].split("-"))
                for at in range(begin, end, 1 << 24):
                    memory.seek(at)
                    try:
                        if secrets_in(memory.read(min(1 << 24, end - at))):
                            return
                    except OSError:
                        continue
