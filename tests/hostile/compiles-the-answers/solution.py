"""T55 T01. Has the compiler include the answers, whose error message quotes them.

expected: wrong
gains: process label-read
"""
import subprocess
from kit import TO, Empty, secrets_in
class Solution(Empty):
    def attack(self):
        source = self.context.scratch / "a.c"
        source.write_text(f'#include "{TO["answers"]}"\n')
        said = subprocess.run(["cc", "-c", str(source), "-o", "/dev/null"], capture_output=True, timeout=3)
        secrets_in(said.stdout + said.stderr)
