"""Maps over a data set with two processes."""

import datasets


def square(row):
    return {"square": row["n"] ** 2}


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        datasets.disable_progress_bars()
        data = datasets.Dataset.from_dict({"n": list(range(50))})
        assert data.map(square, num_proc=2)["square"][7] == 49
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
