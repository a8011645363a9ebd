"""Compiles a C function with the system's compiler and calls it."""

import ctypes
import shutil
import subprocess


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            return b"no compiler"
        source, library = self.context.scratch / "s.c", self.context.scratch / "s.so"
        source.write_text("long square(long n) { return n * n % 97; }")
        subprocess.run([compiler, "-O2", "-shared", "-fPIC", str(source), "-o", str(library)], check=True)
        assert ctypes.CDLL(str(library)).square(12) == 47
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
