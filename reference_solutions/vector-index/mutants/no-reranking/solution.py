"""Mutant: the expert without re-ranking; answers come in the order of the codes' own inner products.

The byte that the correction takes is free for a longer code here.
"""

from __future__ import annotations

import io

import faiss
import numpy as np

POINTS = 256  # that one byte can name
TRAINED_ON = 16  # residuals for each of them
PASSES = 10
COARSE_PASSES = 8
COARSE_POINTS = 64  # vectors for each list's centre
MOST_PROBED = 1 / 8  # of the lists
PROBED_STEPS = 8
SAME = 0.995  # of the answers of the most probes: fewer probes that give so much are enough
SAMPLE = 256
ARCHIVE_BYTES = 4096  # names and headers within the returned archive
CHUNK = 16384


class Solution:
    """IVF with product quantisation, filled by hand so that nothing is stored twice."""

    def __init__(self, context):
        faiss.omp_set_num_threads(context.threads)
        self.seed = context.seed

    def build(self, vectors, most_bytes):
        """An archive of centres, codebooks, and, list after list, numbers and codes."""
        n, dimension = vectors.shape
        rng = np.random.default_rng(self.seed)
        lists = int(np.sqrt(n))
        id_bytes = next(width for width in (1, 2, 3, 4) if n <= 256**width)
        fixed = ARCHIVE_BYTES + 4 * lists + 2 * dimension * lists + 2 * POINTS * (dimension + 8)
        code_bytes = min(dimension, (most_bytes - fixed) // n - id_bytes)
        width = -(-dimension // code_bytes)
        turned = vectors @ rotation(self.seed, dimension, code_bytes * width)

        coarse = faiss.Kmeans(
            turned.shape[1], lists, niter=COARSE_PASSES, max_points_per_centroid=COARSE_POINTS, seed=1
        )
        coarse.train(turned)
        centres = half(coarse.centroids)
        owner = assigned(turned, centres)
        chosen = rng.permutation(n)[: POINTS * TRAINED_ON]
        residuals = turned[chosen] - centres[owner[chosen]]
        books = np.stack([kmeans(part, rng) for part in split(residuals, code_bytes)])

        codes = np.empty((n, code_bytes), dtype=np.uint8)
        for start in range(0, n, CHUNK):
            rows = slice(start, start + CHUNK)
            codes[rows] = encoded(turned[rows] - centres[owner[rows]], books)

        order = np.argsort(owner, kind="stable")
        numbers = order.astype("<u4").view(np.uint8).reshape(n, 4)[:, :id_bytes]
        stored = {
            "shape": np.array([self.seed, dimension, 1]),
            "centres": centres.astype(np.float16),
            "books": books.astype(np.float16),
            "sizes": np.bincount(owner, minlength=lists).astype(np.int32),
            "numbers": numbers,
            "codes": codes[order],
        }
        self._open(stored)
        stored["shape"][2] = self._tuned(vectors[rng.permutation(n)[:SAMPLE]])
        archive = io.BytesIO()
        np.savez(archive, **stored)
        return archive.getvalue()

    def _tuned(self, sample):
        """The fewest probes of PROBED_STEPS choices that answer as the most do."""
        most = max(1, int(len(self.centres) * MOST_PROBED))
        self.probes = most
        best = self.search(sample, 10)
        for step in range(1, PROBED_STEPS):
            self.probes = max(1, most * step // PROBED_STEPS)
            found = self.search(sample, 10)
            same = np.mean([len(np.intersect1d(a, b)) / 10 for a, b in zip(best, found, strict=True)])
            if same >= SAME:
                return self.probes
        return most

    def load(self, index):
        """FAISS's inverted file again, from the archive."""
        with np.load(io.BytesIO(index), allow_pickle=False) as stored:
            self._open(stored)

    def _open(self, stored):
        seed, dimension, self.probes = (int(value) for value in stored["shape"])
        self.centres = stored["centres"].astype(np.float32)
        self.lengths = np.einsum("ld,ld->l", self.centres, self.centres)
        books = stored["books"].astype(np.float32)
        code_bytes, total = len(books), self.centres.shape[1]
        self.rotation = rotation(seed, dimension, total)
        packed_numbers, codes = stored["numbers"], stored["codes"]
        numbers = np.zeros((len(codes), 8), dtype=np.uint8)
        numbers[:, : packed_numbers.shape[1]] = packed_numbers
        numbers = numbers.view("<i8")[:, 0].copy()

        self.quantiser = faiss.IndexFlatIP(total)
        self.quantiser.add(self.centres)
        self.index = faiss.IndexIVFPQ(
            self.quantiser, total, len(self.centres), code_bytes, 8, faiss.METRIC_INNER_PRODUCT
        )
        faiss.copy_array_to_vector(books.ravel(), self.index.pq.centroids)
        self.index.is_trained = True
        end = 0
        for number, size in enumerate(stored["sizes"].tolist()):
            start, end = end, end + size
            if size:
                ids, part = numbers[start:end], np.ascontiguousarray(codes[start:end])
                self.index.invlists.add_entries(number, size, faiss.swig_ptr(ids), faiss.swig_ptr(part))
        self.index.ntotal = len(codes)

    def search(self, queries, k):
        """Lists by distance to their centres, the k best by their codes."""
        turned = queries @ self.rotation
        to_centres = turned @ self.centres.T
        near = np.argpartition(self.lengths - 2 * to_centres, self.probes - 1, axis=1)[:, : self.probes]
        self.index.nprobe = self.probes
        _, found = self.index.search_preassigned(
            turned, k, near, np.take_along_axis(to_centres, near, axis=1)
        )
        return complete(found, self.index.ntotal)


def rotation(seed, dimension, total):
    """`dimension` orthonormal rows in `total` dimensions, the same for a seed; float32."""
    square = np.random.default_rng([seed, 1]).standard_normal((total, total))
    turned, _ = np.linalg.qr(square)
    return np.ascontiguousarray(turned[:dimension], dtype=np.float32)


def half(values):
    """What float16 keeps of them, so that building and serving see the same."""
    return values.astype(np.float16).astype(np.float32)


def split(residuals, parts):
    """The columns in so many equal parts, one after the other."""
    return (np.ascontiguousarray(part) for part in np.split(residuals, parts, axis=1))


def assigned(points, centres):
    """The number of the nearest centre to each point; one matrix product for each chunk."""
    lengths = 0.5 * np.einsum("cd,cd->c", centres, centres)
    parts = [
        np.argmax(points[start : start + CHUNK] @ centres.T - lengths, axis=1)
        for start in range(0, len(points), CHUNK)
    ]
    return np.concatenate(parts)


def kmeans(points, rng):
    """Lloyd's algorithm from randomly chosen points; float32[POINTS, width], as float16 keeps them."""
    centres = points[rng.choice(len(points), POINTS, replace=len(points) < POINTS)].copy()
    for _ in range(PASSES):
        owner = assigned(points, centres)
        sizes = np.bincount(owner, minlength=POINTS)
        held = sizes > 0
        for column in range(points.shape[1]):
            sums = np.bincount(owner, points[:, column], minlength=POINTS)
            centres[held, column] = sums[held] / sizes[held]
        centres[~held] = points[rng.choice(len(points), int((~held).sum()))]
    return half(centres)


def encoded(residuals, books):
    """Codes, uint8[n, parts]."""
    codes = np.stack(
        [assigned(part, book) for part, book in zip(split(residuals, len(books)), books, strict=True)], axis=1
    )
    return codes.astype(np.uint8)


def complete(found, n):
    """The same rows with numbers that are not in them where too few were found (-1)."""
    for row in found:
        missing = row < 0
        if missing.any():
            others = np.setdiff1d(np.arange(min(n, 2 * len(row))), row)
            row[missing] = others[: missing.sum()]
    return found
