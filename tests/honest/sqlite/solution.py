"""Keeps a database in its scratch folder, with a write-ahead log."""

import sqlite3


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        with sqlite3.connect(self.context.scratch / "notes.db") as database:
            database.execute("pragma journal_mode=wal")
            database.execute("create table notes (n integer primary key, s integer)")
            database.executemany(
                "insert or replace into notes values (?, ?)", [(int(n), int(n) ** 2) for n in numbers]
            )
            assert database.execute("select count(*) from notes").fetchone()[0] > 0
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
