"""Right for the even numbers; takes 12 ms, nine tenths asleep, so that a busy machine changes little."""

import time

import numpy as np

SECONDS = 0.012


class Solution:
    def __init__(self, context):
        self.notes = b""

    def learn(self, numbers):
        return b"notes"

    def load(self, notes):
        self.notes = notes

    def answer(self, numbers):
        time.sleep(0.9 * SECONDS)
        end = time.thread_time() + 0.1 * SECONDS
        while time.thread_time() < end:
            pass
        return np.where(numbers % 2 == 0, numbers * numbers % 97, 1)
