"""Compresses with gzip, bz2, lzma, zip and tar."""

import bz2
import gzip
import lzma
import tarfile
import zipfile


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        data = numbers.tobytes()
        for module in (gzip, bz2, lzma):
            assert module.decompress(module.compress(data)) == data
        (self.context.scratch / "d").write_bytes(data)
        with zipfile.ZipFile(self.context.scratch / "d.zip", "w") as archive:
            archive.write(self.context.scratch / "d", "d")
        with tarfile.open(self.context.scratch / "d.tar.gz", "w:gz") as archive:
            archive.add(self.context.scratch / "d", "d")
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
