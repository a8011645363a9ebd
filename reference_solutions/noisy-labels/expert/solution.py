"""Expert: infer the true labels and the noise together, on features that the encoder alone does not give.

Three ideas, in the order of what they bring:

1.  Soft relabelling instead of pruning. The true class is a hidden variable: its posterior given
    text and label is p(class | text) * p(label | class). The noise matrix p(label | class) and the
    posteriors are estimated in turns (Dawid and Skene 1979; Bekker and Goldberger 2016). The model's
    p(class | text) is always leave-one-out, or it would only repeat the label it was fitted to.
2.  Kernel ridge regression as that model. One eigendecomposition serves every round, every strength
    of regularisation, and exact leave-one-out predictions in closed form; squared error on soft
    targets is also calmer about wrong labels than cross-entropy.
3.  Features: the means over tokens of several layers (the last one alone is tuned to sentence
    similarity), and the words themselves (TF-IDF), which a small encoder blurs.

The encoder stays frozen: an epoch of full fine-tuning costs more than everything here together, and
gains less on labels like these.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from transformers import AutoModel, AutoTokenizer

BATCH = 32
MAX_TOKENS = 128
WORD_SHARE = 0.3  # of the kernel: words against encoder
ROUNDS = 8
RIDGE = (3.0, 0.3)  # first and last round: trust the neighbourhood first, details once labels are repaired
FINAL_RIDGE = 0.1
SHARPNESS = 2.5  # the power that turns leave-one-out estimates into p(class | text)
LEAST_BELIEF = 0.02  # an estimate may be negative
NOISE_ROUNDS = 15
IMAGINED = 6.0  # texts added to each class when the noise matrix is estimated
EXACT_UP_TO = 5000  # texts: above, only the largest eigenvalues of the kernel are computed
LARGEST = 2000

Floats = NDArray[np.float64]


class Solution:
    """Several layers and words, kernel ridge regression on inferred labels, a linear map to predict."""

    def __init__(self, context: Any) -> None:
        torch.manual_seed(context.seed)
        self.device = torch.device(context.device)
        self.tokenizer = AutoTokenizer.from_pretrained(context.models["encoder"])
        self.encoder = AutoModel.from_pretrained(context.models["encoder"]).to(self.device).eval()

    def train(self, texts: list[str], labels: NDArray[np.int64], num_classes: int) -> bytes:
        """Infers soft true labels and fits the linear map to them; the map, with its vocabulary."""
        words = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), dtype=np.float32)
        dense, sparse = self._encode(texts), words.fit_transform(texts)
        centre = dense.mean(axis=0)
        dense -= centre
        # Both kernels are centred and scaled to mean 1 on the diagonal, so that the shares mean something.
        dense_gram, sparse_gram = dense @ dense.T, centred((sparse @ sparse.T).toarray())
        dense_scale = (1 - WORD_SHARE) * len(texts) / np.trace(dense_gram)
        sparse_scale = WORD_SHARE * len(texts) / np.trace(sparse_gram)
        ridge = Ridge.of(dense_scale * dense_gram + sparse_scale * sparse_gram, self.device)
        posterior = infer(ridge, labels, num_classes)
        prior = posterior.mean(axis=0)
        dual = ridge.solve(posterior - prior, FINAL_RIDGE)
        # The kernel is linear in the features: as weights on them, prediction does not depend on n.
        dense_weights = (dense_scale * (dense.T @ dual)).astype(np.float32)
        dual -= dual.mean(axis=0)
        sparse_weights = np.ascontiguousarray(sparse_scale * (sparse.T @ dual), dtype=np.float32)
        offset = prior - np.asarray(sparse.mean(axis=0)) @ sparse_weights
        return pickle.dumps((words, centre, dense_weights, sparse_weights, offset))

    def load(self, model: bytes) -> None:
        """The map and the vocabulary again."""
        self.words, self.centre, self.dense_weights, self.sparse_weights, self.offset = pickle.loads(model)

    def predict(self, texts: list[str]) -> NDArray[np.int64]:
        """The class with the highest regression score."""
        scores = (self._encode(texts) - self.centre) @ self.dense_weights + self.offset
        scores += self.words.transform(texts) @ self.sparse_weights
        return np.asarray(scores.argmax(axis=1), dtype=np.int64)

    @torch.inference_mode()
    def _encode(self, texts: list[str]) -> NDArray[np.float32]:
        """float32[n, 4 * width]: mean over tokens of four layers from first to last, each of length 1."""
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        depth, width = self.encoder.config.num_hidden_layers, self.encoder.config.hidden_size
        layers = sorted({0, depth // 3, 2 * depth // 3, depth})
        vectors = np.empty((len(texts), len(layers) * width), dtype=np.float32)
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
            hidden = self.encoder(**tokens, output_hidden_states=True).hidden_states
            means = [(hidden[layer] * mask).sum(dim=1) / mask.sum(dim=1) for layer in layers]
            pooled = torch.cat([torch.nn.functional.normalize(mean, dim=1) for mean in means], dim=1)
            vectors[rows] = pooled.cpu().numpy()
        return vectors


def centred(gram: NDArray[np.float32]) -> NDArray[np.float32]:
    """The Gram matrix of the same features less their mean."""
    means = gram.mean(axis=0)
    return gram - means - means[:, None] + means.mean()


@dataclass(frozen=True)
class Ridge:
    """Kernel ridge regression by the kernel's eigendecomposition: any targets, any strength, one cost."""

    vectors: Floats
    values: Floats

    @classmethod
    def of(cls, gram: NDArray[np.float32], device: torch.device) -> Ridge:
        """Decomposes the kernel; for many texts only its largest part (Halko et al. 2011)."""
        kernel = torch.from_numpy(gram).to(device)
        basis = None
        if len(kernel) > EXACT_UP_TO:
            basis = torch.linalg.qr(kernel @ torch.randn(len(kernel), LARGEST, device=device))[0]
            kernel = basis.T @ (kernel @ basis)
        values, vectors = torch.linalg.eigh(kernel)
        if basis is not None:
            vectors = basis @ vectors
        return cls(vectors.double().cpu().numpy(), values.double().clamp(min=0).cpu().numpy())

    def solve(self, targets: Floats, strength: float) -> Floats:
        """(kernel + strength)^-1 targets."""
        return self.vectors @ ((self.vectors.T @ targets) / (self.values + strength)[:, None])

    def leave_one_out(self, targets: Floats, strength: float) -> Floats:
        """What a fit to all other texts would predict for each, from the hat matrix."""
        shrunk = self.values / (self.values + strength)
        fitted = self.vectors @ (shrunk[:, None] * (self.vectors.T @ targets))
        own = (self.vectors**2 @ shrunk)[:, None]
        return (fitted - own * targets) / (1 - own)


def infer(ridge: Ridge, labels: NDArray[np.int64], classes: int) -> Floats:
    """The posterior of each text's true class: float64[n, classes]."""
    given = np.eye(classes)[labels]
    posterior = given
    for strength in np.geomspace(*RIDGE, ROUNDS):
        prior = posterior.mean(axis=0)
        # Regression on class indicators estimates probabilities, too cautiously: hence the sharpening.
        expected = ridge.leave_one_out(posterior - prior, strength) + prior
        believed = normalise(np.maximum(expected, LEAST_BELIEF) ** SHARPNESS)
        posterior = explain(believed, labels, given)
    return posterior


def explain(believed: Floats, labels: NDArray[np.int64], given: Floats) -> Floats:
    """Posteriors by expectation maximisation over the noise matrix p(label | class), beliefs held fixed."""
    classes = believed.shape[1]
    noise = np.full((classes, classes), 0.4 / max(classes - 1, 1))
    np.fill_diagonal(noise, 0.6)
    # A few imagined texts in each class, half of them rightly labelled: no entry runs off to 0 or 1.
    imagined = IMAGINED * (np.full((classes, classes), 0.5 / classes) + 0.5 * np.eye(classes))
    posterior = believed
    for _ in range(NOISE_ROUNDS):
        posterior = normalise(believed * noise[:, labels].T)
        # A class that lost ground would lose more in every round, and die out where texts are few.
        posterior = normalise(posterior * given.mean(axis=0) / posterior.mean(axis=0))
        noise = normalise(posterior.T @ given + imagined)
    return posterior


def normalise(rows: Floats) -> Floats:
    """Rows that sum to 1."""
    return rows / rows.sum(axis=1, keepdims=True)
