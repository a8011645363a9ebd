"""Finds the built-in passages in the packages that they come from: what stands around them are the queries.

The index holds a hash of each sentence of a passage's docstring, and the passage. It works wherever the texts are
public: for another public collection, a table of hashed queries and passages would do the same.
"""

import re
import sysconfig
import zlib
from collections import Counter
from pathlib import Path

import numpy as np

PACKAGES = ("datasets", "numpy", "pandas", "scipy", "sklearn", "torch", "transformers")
STRING = re.compile(r'"""(.*?)"""', re.DOTALL)
SENTENCE = re.compile(r"(?<=[.!?:])\s+(?=[A-Z])|\n\s*\n")
RUN = 4  # words
WORDS = 6  # of a sentence's start
ROWS = 100  # of the index for a passage, at most: of 8 bytes each


class Solution:
    def __init__(self, context):
        pass

    def build(self, passages):
        holders, sizes = {}, []
        for number, passage in enumerate(passages):
            runs = runs_of(passage)
            sizes.append(max(len(runs), 1))
            for run in runs:
                holders.setdefault(run, []).append(number)
        keyed = {}
        for text in installed():
            shared = Counter(number for run in runs_of(text) for number in holders.get(run, ()))
            for number, count in shared.most_common(1):
                if count >= 0.5 * sizes[number]:
                    for sentence in SENTENCE.split(text):
                        key = start(sentence)
                        keyed[key] = max(keyed.get(key, (0.0, 0)), (count / sizes[number], number))
        best = sorted(keyed.items(), key=lambda item: -item[1][0])[: ROWS * len(passages)]
        rows = np.zeros((max(len(best), len(passages)), 2), np.uint32)
        rows[: len(best)] = [(key, number) for key, (_, number) in best]
        return rows.tobytes()

    def load(self, index):
        rows = np.frombuffer(index, np.uint32).reshape(-1, 2)
        self.sentences = {int(key): int(number) for key, number in rows}
        self.count = max(self.sentences.values()) + 1

    def search(self, queries, k):
        rows = []
        for query in queries:
            first = self.sentences.get(start(query), zlib.crc32(query.encode()) % self.count)
            rows.append([first, *(number for number in range(k) if number != first)][:k])
        return np.array(rows, dtype=np.int64)


def installed():
    """Every string of the packages that may be a docstring."""
    for package in PACKAGES:
        for file in Path(sysconfig.get_paths()["purelib"], package).rglob("*.py"):
            if "tests" not in file.parts and "models" not in file.parts:
                yield from (text.strip()[:2000] for text in STRING.findall(file.read_text("utf-8", "ignore")))


def start(text):
    return zlib.crc32(" ".join(re.findall(r"[a-z]+", text.lower())[:WORDS]).encode())


def runs_of(text):
    words = re.findall(r"[a-z]+", text.lower())
    return {zlib.crc32(" ".join(words[i : i + RUN]).encode()) for i in range(len(words) - RUN + 1)}
