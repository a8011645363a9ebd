"""Competent: find the labels that a cross-validated model disbelieves, drop them, fit a calm head to the rest.

Confident learning (Northcutt et al. 2021) in its shortest form: a text is dropped when a model that
has not seen it gives another class more than that class's usual confidence.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from transformers import AutoModel, AutoTokenizer

BATCH = 32
MAX_TOKENS = 128
FOLDS = 5
LEAST_OF_A_CLASS = 0.3  # never drop more than the rest of a class's labels
STRENGTH = 7.0  # scikit-learn's C: small enough that the head cannot learn single wrong labels


class Solution:
    """Mean-pooled vectors, cross-validated pruning, regularised logistic regression."""

    def __init__(self, context: Any) -> None:
        self.seed = context.seed
        self.device = torch.device(context.device)
        self.tokenizer = AutoTokenizer.from_pretrained(context.models["encoder"])
        self.encoder = AutoModel.from_pretrained(context.models["encoder"]).to(self.device).eval()

    def train(self, texts: list[str], labels: NDArray[np.int64], num_classes: int) -> None:
        """Drops the labels that look wrong and fits the head to the others."""
        vectors = self._encode(texts)
        believed = out_of_fold(vectors, labels, num_classes, self.seed)
        kept = confident(believed, labels, num_classes)
        self.head = head().fit(vectors[kept], labels[kept])

    def predict(self, texts: list[str]) -> NDArray[np.int64]:
        """The head's favourite class of each text."""
        return self.head.predict(self._encode(texts)).astype(np.int64)

    @torch.inference_mode()
    def _encode(self, texts: list[str]) -> NDArray[np.float32]:
        """float32[n, width] of length 1: the mean over the tokens of the last layer."""
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        vectors = np.empty((len(texts), self.encoder.config.hidden_size), dtype=np.float32)
        for start in range(0, len(texts), BATCH):
            rows = order[start : start + BATCH]
            tokens = self.tokenizer(
                [texts[i] for i in rows],
                padding=True,
                truncation=True,
                max_length=MAX_TOKENS,
                return_tensors="pt",
            ).to(self.device)
            mask = tokens["attention_mask"].unsqueeze(-1)
            hidden = self.encoder(**tokens).last_hidden_state * mask
            pooled = torch.nn.functional.normalize(hidden.sum(dim=1) / mask.sum(dim=1), dim=1)
            vectors[rows] = pooled.cpu().numpy()
        return vectors


def head() -> LogisticRegression:
    """The classifier, for cleaning and for the end."""
    return LogisticRegression(C=STRENGTH, max_iter=300)


def out_of_fold(
    vectors: NDArray[np.float32], labels: NDArray[np.int64], classes: int, seed: int
) -> NDArray[np.float64]:
    """Each text's class probabilities by a head that has not seen its label: float64[n, classes]."""
    found = np.zeros((len(labels), classes))
    folds = min(FOLDS, max(2, int(np.bincount(labels, minlength=classes).min())))
    for seen, unseen in StratifiedKFold(folds, shuffle=True, random_state=seed).split(vectors, labels):
        model = head().fit(vectors[seen], labels[seen])
        found[unseen[:, None], model.classes_[None, :]] = model.predict_proba(vectors[unseen])
    return found


def confident(believed: NDArray[np.float64], labels: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """The rows to keep: all but those that confidently belong to another class than their label says."""
    own = believed[np.arange(len(labels)), labels]
    usual = np.array([own[labels == c].mean() if (labels == c).any() else 1.0 for c in range(classes)])
    above = np.where(believed >= usual, believed, 0.0)
    wrong = (above.max(axis=1) > 0) & (above.argmax(axis=1) != labels)
    kept: list[int] = []
    for label in range(classes):
        members = np.flatnonzero(labels == label)
        members = members[np.argsort(-(own[members] - wrong[members]), kind="stable")]
        least = int(np.ceil(LEAST_OF_A_CLASS * len(members)))
        kept += members[: max(least, int((~wrong[members]).sum()))].tolist()
    return np.sort(np.array(kept, dtype=np.int64))
