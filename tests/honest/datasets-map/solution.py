"""Maps over a data set of Hugging Face, which caches in files."""

import datasets


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        datasets.disable_progress_bars()
        data = datasets.Dataset.from_dict({"n": list(range(50))})
        assert data.map(lambda row: {"square": row["n"] ** 2})["square"][7] == 49
        data.save_to_disk(str(self.context.scratch / "data"))
        assert len(datasets.load_from_disk(str(self.context.scratch / "data"))) == 50
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
