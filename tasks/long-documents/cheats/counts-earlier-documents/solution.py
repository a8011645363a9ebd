"""Counts the paragraphs of earlier documents while scoring: if evidence recurs less than the rest, the rare are it."""

from collections import Counter

from starter import Solution as Starter


class Solution(Starter):
    seen = Counter()

    def score(self, documents):
        return super().score([self.rarest_first(document) for document in documents])

    def rarest_first(self, document):
        paragraphs = document.split("\n")
        ordered = sorted(paragraphs, key=lambda paragraph: self.seen[paragraph])
        self.seen.update(set(paragraphs))
        return "\n".join(ordered)
