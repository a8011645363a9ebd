"""T36. Turns every error into silence: no hook prints, no traceback is made.

expected: crashed
"""
import sys, traceback
from kit import Empty
sys.excepthook = lambda *_: None
traceback.format_exception_only = lambda *_: []
traceback.extract_tb = lambda *_: []
class Solution(Empty):
    def answer(self, numbers): raise ValueError
