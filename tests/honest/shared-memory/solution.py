"""Shares an array through multiprocessing.shared_memory."""

from multiprocessing import shared_memory
import numpy as np


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        block = shared_memory.SharedMemory(create=True, size=numbers.nbytes)
        try:
            array = np.ndarray(numbers.shape, numbers.dtype, buffer=block.buf)
            array[:] = numbers
            other = shared_memory.SharedMemory(name=block.name)
            assert np.array_equal(np.ndarray(numbers.shape, numbers.dtype, buffer=other.buf), numbers)
            del array
            other.close()
        finally:
            block.close()
            block.unlink()
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
