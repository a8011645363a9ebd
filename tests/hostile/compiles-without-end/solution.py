"""T55. Has the compiler read a file that never ends.

expected: wrong or out_of_memory or timeout or crashed
"""
import subprocess
from kit import Empty
class Solution(Empty):
    def attack(self):
        source = self.context.scratch / "a.c"
        source.write_text("#define A(x) x x x x x x x x\n" + "A(" * 12 + "int a;" + ")" * 12)
        subprocess.run(["cc", "-c", str(source), "-o", "/dev/null"], capture_output=True, timeout=3)
