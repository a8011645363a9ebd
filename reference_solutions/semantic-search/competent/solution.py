"""Competent: sentence-transformers done properly, with an 8-bit FAISS index.

The model's own pooling (mean over real tokens) and unit-length vectors, so that inner product is
cosine; passages read to the model's full length. One byte a dimension instead of four costs nearly
nothing in quality and brings the index under its budget. `serve` does not import
sentence-transformers, which takes seconds: the same pooling is three lines.
"""

from __future__ import annotations

import faiss
import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer

MAX_TOKENS = 256


class Solution:
    """Dense retrieval: MiniLM sentence vectors in a scalar-quantised index."""

    def __init__(self, context):
        torch.set_num_threads(context.threads)
        faiss.omp_set_num_threads(context.threads)
        self.device = context.device
        self.folder = str(context.models["encoder"])
        self.tokenizer = AutoTokenizer.from_pretrained(self.folder)
        self.model = AutoModel.from_pretrained(self.folder).to(self.device).eval()
        self.index = None

    def build(self, passages):
        """The serialised FAISS index."""
        from sentence_transformers import SentenceTransformer

        encoder = SentenceTransformer(self.folder, device=self.device)
        encoder.max_seq_length = MAX_TOKENS
        # `encode` sorts by length itself, so that little of a batch is padding.
        vectors = encoder.encode(
            passages, batch_size=32, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
        ).astype(np.float32)
        index = faiss.IndexScalarQuantizer(
            vectors.shape[1], faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
        )
        index.train(vectors)
        index.add(vectors)
        return faiss.serialize_index(index).tobytes()

    def load(self, index):
        """The FAISS index again."""
        self.index = faiss.deserialize_index(np.frombuffer(index, dtype=np.uint8))

    @torch.inference_mode()
    def search(self, queries, k):
        """The k nearest by cosine."""
        batch = self.tokenizer(
            queries, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
        ).to(self.device)
        hidden = self.model(**batch).last_hidden_state
        mask = batch["attention_mask"].unsqueeze(-1)
        pooled = (hidden * mask).sum(dim=1) / mask.sum(dim=1)
        vectors = torch.nn.functional.normalize(pooled, dim=1).cpu().numpy().astype(np.float32)
        _, found = self.index.search(vectors, k)
        return found.astype(np.int64)
