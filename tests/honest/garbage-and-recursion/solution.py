"""Makes cycles, weak references and deep recursion."""

import gc
import sys
import weakref


def depth(n):
    return 0 if n == 0 else 1 + depth(n - 1)


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        class Node:
            pass

        node = Node()
        node.self = node
        seen = weakref.ref(node)
        del node
        gc.collect()
        assert seen() is None
        sys.setrecursionlimit(5000)
        assert depth(3000) == 3000
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
