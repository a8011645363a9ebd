"""Prints in every script, and names its files so."""


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        print("Größe, размер, 大きさ, حجم, 🙂")
        path = self.context.scratch / "größe-大きさ.txt"
        path.write_text("🙂", encoding="utf-8")
        assert path.read_text(encoding="utf-8") == "🙂"
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
