"""T25. Holds memory and then resets the kernel's mark of how much it was.

expected: ok
gains: process memory-hidden; confined memory-hidden; bubblewrap memory-hidden
holds: 200
"""
from kit import Empty, squares
class Solution(Empty):
    def attack(self):
        held = b"x" * 200_000_000
        del held
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    def answer(self, numbers): return squares(numbers)
