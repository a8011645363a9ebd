"""Locks files with flock and lockf, and renames over them."""

import fcntl
import os


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        path = self.context.scratch / "lock"
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            fcntl.lockf(file, fcntl.LOCK_EX)
            file.write("x")
        os.replace(path, self.context.scratch / "renamed")
        os.link(self.context.scratch / "renamed", self.context.scratch / "linked")
        os.symlink("renamed", self.context.scratch / "link")
        os.chmod(self.context.scratch / "renamed", 0o600)
        os.utime(self.context.scratch / "renamed")
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
