"""Turns a FAISS index into bytes and back."""

import faiss
import numpy as np


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        index = faiss.IndexFlatL2(4)
        index.add(np.eye(4, dtype=np.float32))
        assert faiss.deserialize_index(faiss.serialize_index(index)).ntotal == 4
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
