"""Hashes, and draws from every source of chance."""

import hashlib
import os
import random
import secrets
import uuid
import numpy as np


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        assert hashlib.sha256(numbers.tobytes()).hexdigest() and hashlib.blake2b(b"x").digest()
        random.seed(self.context.seed)
        assert len(os.urandom(8) + secrets.token_bytes(8)) == 16
        uuid.uuid4()
        np.random.default_rng(self.context.seed).random()
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
