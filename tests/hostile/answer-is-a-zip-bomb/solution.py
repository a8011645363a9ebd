"""T70. Returns a small .npz that unfolds to gigabytes.

expected: wrong
way: run
"""
import io, zlib, zipfile
from kit import Empty
class Solution(Empty):
    def learn(self, numbers):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.npy", bytes(3_000_000))
        return out.getvalue()[:4096]
