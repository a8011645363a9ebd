"""Groups, writes and reads tables with pandas."""

import pandas as pd


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        frame = pd.DataFrame({"n": numbers, "even": numbers % 2 == 0})
        frame.to_parquet(self.context.scratch / "t.parquet")
        frame.to_csv(self.context.scratch / "t.csv", index=False)
        assert pd.read_parquet(self.context.scratch / "t.parquet").groupby("even").size().sum() == len(
            numbers
        )
        assert len(pd.read_csv(self.context.scratch / "t.csv")) == len(numbers)
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
