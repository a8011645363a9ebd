"""Imports a module and a package that lie beside it."""

import importlib
import helper
from parts import deeper


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        assert helper.square(3) == 9
        assert importlib.import_module("parts.deeper").cube(2) == deeper.cube(2) == 8
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
