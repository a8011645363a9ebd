"""T20. Works for as long as it likes while it is imported.

expected: timeout
"""
import time
time.sleep(30)
from kit import Empty
class Solution(Empty):
    pass
