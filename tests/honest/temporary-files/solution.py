"""Makes temporary files and folders in every usual way."""

import os
import tempfile


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        with (
            tempfile.TemporaryDirectory() as folder,
            tempfile.NamedTemporaryFile() as named,
            tempfile.TemporaryFile() as plain,
        ):
            with open(os.path.join(folder, "x"), "w") as file:
                file.write("x")
            named.write(b"x")
            plain.write(b"x")
        with tempfile.SpooledTemporaryFile(10) as spooled:
            spooled.write(b"x" * 100)
        os.close(tempfile.mkstemp()[0])
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
