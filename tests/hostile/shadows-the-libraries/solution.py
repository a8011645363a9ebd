"""T33. Brings modules with the names of libraries, whose sums are in its favour.

expected: wrong
"""
import numpy as np
import json, struct, socket
from kit import Empty
class Solution(Empty):
    def attack(self):
        import torch_is_not_here  # noqa: F401
