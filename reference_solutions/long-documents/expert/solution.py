"""Expert: infer which paragraphs earned the labels, let words choose what the encoder reads, weigh all evidence.

Six ideas, in the order in which a document meets them:

1.  Paragraphs, not chunks: a chunk that runs over the ends of paragraphs mixes what counts with what does not.
2.  Which paragraph earned a label is a hidden variable (multiple-instance learning: Dietterich et al. 1997). A
    paragraph that several documents hold can have earned only a label that all of them have; one that recurs
    as no evidence does is background. `candidates` says so in likelihoods, with no other constant.
3.  One softmax over all labels and background learns from these sets of candidates (partial labels: Jin and
    Ghahramani 2002): labels compete for a paragraph, and what is nobody's evidence has a class of its own.
4.  The encoder reads what can be evidence, and a classifier on words and vectors decides whose it is. A second
    one, on words alone, learns from those decisions: counting is cheap enough for every paragraph.
5.  A new document's paragraphs are ranked by words; the encoder reads the foremost, a few windows' worth.
6.  The aggregator is a likelihood ratio: one to three paragraphs on the label against none, by where in a
    document evidence was found to stand. What kind of document it is as a whole may tell as much, or nothing:
    documents held out say how much of either to believe.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from transformers import AutoModel, AutoTokenizer

MOST_WORDS = 60  # of a piece: a longer paragraph is cut
MOST_PIECES = 8_000  # to learn from: real documents have tens of thousands
MOST_TERMS = 60_000  # the most frequent ones: real documents have a million pairs of words
TOKENS_A_WORD = 1.7
READ_TO_LEARN, READ = 5, 5  # windows' worth of tokens: for each document in training, and when one is scored
BATCH = 12  # pieces of like length together: little padding
WORDS_SPREAD, BOTH_SPREAD = 0.05, 0.05  # of the penalty on weights
STEPS = 40  # and no more: the last ones fit to chance
MOST_COUNTED = 8  # a piece in so many documents or more is treated alike
RARE = 0.01  # share of pieces that may be evidence, however often they recur: so that nothing is impossible
NEAR = 12  # pieces at a document's start whose places are told apart
TRUST = 0.4  # in the judge of words and vectors, against words alone, for a piece that was read
WHOLE_STRENGTH = 10.0
HELD_OUT = 4  # one document in so many says how much of each view to believe
SHARES = (1.0, 0.75, 0.5, 0.25, 0.0)  # of the pieces' view; the whole document's has the rest
LEAST = 1e-9

Floats = NDArray[Any]
Ints = NDArray[np.int64]
Blocks = Sequence[Any]  # matrices of the same rows, sparse or dense: the features side by side


class Solution:
    """Two views of a document, by its pieces and as a whole, and how much of each to believe."""

    def __init__(self, context: Any) -> None:
        torch.set_num_threads(context.threads)
        self.seed = int(context.seed)
        self.reader = Reader(context.models["encoder"], context.device)

    def train(self, documents: list[str], marks: NDArray[np.int64]) -> bytes:
        """Weighs the views on documents held out, by words alone, then fits both to all."""
        order = np.random.default_rng(self.seed).permutation(len(documents))
        held, kept = order[: len(order) // HELD_OUT], order[len(order) // HELD_OUT :]
        few = [documents[i] for i in kept]
        views = Pieces.of(few, marks[kept], None, self.seed), Whole.of(few, marks[kept])
        scores = [view.score([documents[i] for i in held]) for view in views]
        spreads = [np.maximum(own.std(axis=0), LEAST) for own in scores]
        share = believed(scores[0] / spreads[0], scores[1] / spreads[1], marks[held])
        pieces = Pieces.of(documents, marks, self.reader, self.seed)
        whole = Whole.of(documents, marks)
        weights = share / spreads[0], (1 - share) / spreads[1]
        return pickle.dumps((weights, replace(pieces, reader=None), whole))

    def load(self, model: bytes) -> None:
        """Both views again; the reader is this process's own."""
        self.weights, pieces, self.whole = pickle.loads(model)
        self.pieces = replace(pieces, reader=self.reader)

    def score(self, documents: list[str]) -> Floats:
        """What the views say of each label, each by its share."""
        first, second = self.pieces.score(documents), self.whole.score(documents)
        return (self.weights[0] * first + self.weights[1] * second).astype(np.float64)


class Reader:
    """The encoder: mean-pooled vectors of pieces, in batches of like length."""

    def __init__(self, folder: Any, device: str) -> None:
        self.device = torch.device(device)
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.encoder = AutoModel.from_pretrained(folder).to(self.device).eval()
        self.window = int(self.encoder.config.max_position_embeddings)

    @torch.inference_mode()
    def read(self, pieces: Sequence[str]) -> Floats:
        """float32[pieces, width]: the mean over each piece's tokens."""
        tokens = self.tokenizer(list(pieces), truncation=True, max_length=self.window)["input_ids"]
        order = np.argsort([len(own) for own in tokens])
        vectors = np.zeros((len(pieces), self.encoder.config.hidden_size), np.float32)
        for rows in np.split(order, range(BATCH, len(order), BATCH)):
            batch = self.tokenizer.pad({"input_ids": [tokens[i] for i in rows]}, return_tensors="pt")
            mask = batch["attention_mask"].to(self.device).unsqueeze(-1)
            hidden = self.encoder(**batch.to(self.device)).last_hidden_state * mask
            vectors[rows] = (hidden.sum(dim=1) / mask.sum(dim=1)).cpu().numpy()
        return vectors

    def first(self, pieces: Sequence[str], order: Ints, windows: float) -> Ints:
        """As many of the pieces, in this order, as so many windows hold; one at least."""
        lengths = np.array([min(TOKENS_A_WORD * len(pieces[i].split()) + 2, self.window) for i in order])
        return order[: max(1, int((np.cumsum(lengths) <= windows * self.window).sum()))]


@dataclass(frozen=True)
class Pieces:
    """Softmaxes over labels and background for each piece, and the sum of what all pieces say.

    `judge`, on words and vectors, is None where nothing was read; then words speak alone.
    """

    reader: Reader | None
    words: TfidfVectorizer
    counting: Softmax
    judge: Softmax | None
    prior: Prior

    @classmethod
    def of(cls, documents: Sequence[str], marks: Ints, reader: Reader | None, seed: int) -> Pieces:
        """Infers whose evidence the pieces are, with the encoder if a reader is given, and learns to tell."""
        pieces, bags = numbered(documents)
        chances = candidates(bags, marks, len(pieces))
        order = worth_learning(chances, seed)
        words = TfidfVectorizer(
            analyzer=terms, sublinear_tf=True, min_df=2, max_features=MOST_TERMS, dtype=np.float32
        )
        counted, chances = words.fit_transform([pieces[i] for i in order]), chances[order]
        judge = None
        if reader:
            n = len(reader.first(pieces, order, READ_TO_LEARN * len(documents)))
            blocks = counted[:n], reader.read([pieces[i] for i in order[:n]])
            judge = Softmax.fit(blocks, chances[:n], BOTH_SPREAD)
            chances[:n] = judge.posterior(blocks, chances[:n])
        counting = Softmax.fit([counted], chances, WORDS_SPREAD)
        posterior = counting.posterior([counted], chances)
        return cls(reader, words, counting, judge, Prior.of(bags, order, posterior, len(pieces)))

    def score(self, documents: Sequence[str]) -> Floats:
        """float64[documents, labels]: the log likelihood ratio of having the label."""
        return np.stack([summed(self.ratios(in_pieces(document))) for document in documents])

    def ratios(self, pieces: Sequence[str]) -> Floats:
        """float[pieces, labels]: how much likelier each piece is as evidence; the foremost are read."""
        counted, near = self.words.transform(pieces), self.prior.near(len(pieces))
        ratios = self.prior.ratios(self.counting.likelihoods([counted]))
        if self.judge is not None and self.reader is not None:
            order = np.argsort(-(ratios + near).max(axis=1))
            best = self.reader.first(pieces, order, READ)
            vectors = self.reader.read([pieces[i] for i in best])
            judged = self.prior.ratios(self.judge.likelihoods([counted[best], vectors]))
            ratios[best] += TRUST * (judged - ratios[best])
        return ratios + near


@dataclass(frozen=True)
class Softmax:
    """Linear logits of labels and background; `shares` are the classes' among the pieces learnt from.

    Dense features are centred and scaled to the length that TF-IDF has, so that one penalty fits both.
    """

    weights: Floats
    offsets: Floats
    scales: tuple[tuple[Any, Any] | None, ...]
    shares: Floats

    @classmethod
    def fit(cls, blocks: Blocks, chances: Floats, spread: float) -> Softmax:
        """Maximises the likelihood of the candidates: each piece's probabilities, summed by their chances."""
        scales = tuple(None if sp.issparse(block) else scale_of(block) for block in blocks)
        scaled = [within(block, scale) for block, scale in zip(blocks, scales, strict=True)]
        theta = fitted(scaled, np.log(np.maximum(chances, LEAST)), spread)
        model = cls(theta[:-1], theta[-1], scales, np.ones(chances.shape[1]))
        return replace(model, shares=model.posterior(blocks, chances).mean(axis=0) + 1e-6)

    def logits(self, blocks: Blocks) -> Floats:
        """float[pieces, classes]."""
        scaled = [within(block, scale) for block, scale in zip(blocks, self.scales, strict=True)]
        return product(scaled, self.weights) + self.offsets

    def posterior(self, blocks: Blocks, chances: Floats) -> Floats:
        """Each piece's classes, given its features and its candidates' chances: rows add up to 1."""
        odds = np.exp(normalised(self.logits(blocks))) * chances
        return odds / np.maximum(odds.sum(axis=1, keepdims=True), 1e-30)

    def likelihoods(self, blocks: Blocks) -> Floats:
        """Proportional to how likely each class makes a piece: what is learnt, less the classes' shares."""
        return np.exp(normalised(self.logits(blocks) - np.log(self.shares)))


@dataclass(frozen=True)
class Prior:
    """What a place in a document is before it is looked at: the classes' shares, and evidence by place."""

    shares: Floats
    places: Floats

    @classmethod
    def of(cls, bags: Sequence[Ints], order: Ints, posterior: Floats, n: int) -> Prior:
        """From what the pieces of all documents were found to be; a piece not learnt from counts nowhere."""
        known = np.full((n, posterior.shape[1]), np.nan)
        known[order] = posterior
        found = np.concatenate([known[bag] for bag in bags])
        at = np.concatenate([np.minimum(np.arange(len(bag)), NEAR - 1) for bag in bags])
        seen = ~np.isnan(found[:, 0])
        shares = found[seen].mean(axis=0)
        evidence = np.bincount(at[seen], weights=1 - found[seen, -1], minlength=NEAR)
        usual = 1 - shares[-1]
        places = (evidence + 2 * usual) / (np.bincount(at[seen], minlength=NEAR) + 2) / usual
        return cls(np.clip(shares, 1e-6, 1 - 1e-6), np.log(np.maximum(places, 1e-3)))

    def near(self, n: int) -> Floats:
        """float[n, 1]: the log of how much more evidence stands at each of n places than at most."""
        return self.places[np.minimum(np.arange(n), NEAR - 1)][:, None]

    def ratios(self, likelihoods: Floats) -> Floats:
        """float[pieces, labels]: the log of each label's likelihood over that of all else, background included."""
        weighed = likelihoods * self.shares
        rest = (weighed.sum(axis=1, keepdims=True) - weighed) / (1 - self.shares)
        return np.log(np.maximum(likelihoods, 1e-12) / np.maximum(rest, 1e-12))[:, :-1]


@dataclass(frozen=True)
class Whole:
    """TF-IDF of whole documents and a logistic regression for each label."""

    words: TfidfVectorizer
    weights: Floats

    @classmethod
    def of(cls, documents: Sequence[str], marks: Ints) -> Whole:
        """Fits both to the documents; offsets are left out, since only the order counts."""
        words = TfidfVectorizer(sublinear_tf=True, min_df=2, max_features=MOST_TERMS, dtype=np.float32)
        counted = words.fit_transform(documents)
        heads = [
            LogisticRegression(C=WHOLE_STRENGTH, max_iter=100, class_weight="balanced").fit(counted, column)
            for column in marks.T
        ]
        return cls(words, np.stack([head.coef_[0] for head in heads], axis=1))

    def score(self, documents: Sequence[str]) -> Floats:
        """float64[documents, labels]: log odds, but for the offset."""
        return np.asarray(self.words.transform(documents) @ self.weights, dtype=np.float64)


def believed(first: Floats, second: Floats, marks: Ints) -> float:
    """The share of the first view at which labels rank these documents best, on average over labels."""
    able = np.flatnonzero(marks.any(axis=0))

    def quality(share: float) -> float:
        mixed = share * first + (1 - share) * second
        return float(np.mean([average_precision_score(marks[:, k], mixed[:, k]) for k in able]))

    return max(SHARES, key=quality)


# ---------------------------------------------------------------- whose evidence a piece can be


def candidates(bags: Sequence[Ints], marks: Ints, n: int) -> Floats:
    """float32[n, labels + 1]: how likely each class makes the documents that hold a piece, by the likeliest's.

    Evidence of a label stands in documents that all have it; background has them as chance has it, with the
    label's share to the power of how many they are. How often either recurs counts too, see `recurrence`.
    """
    count, having = np.zeros(n), np.zeros((n, marks.shape[1]))
    for bag, row in zip(bags, marks, strict=True):
        count[np.unique(bag)] += 1
        having[np.unique(bag)] += row
    able, often = having == count[:, None], np.minimum(count, MOST_COUNTED).astype(np.int64)
    share = marks.mean(axis=0)
    lift = recurrence(often, able.any(axis=1), share)[often][:, None] - often[:, None] * np.log(share)
    logs = np.column_stack([np.where(able, lift, -np.inf), np.zeros(n)])
    return np.exp(logs - logs.max(axis=1, keepdims=True)).astype(np.float32)


def recurrence(often: Ints, able: NDArray[np.bool_], share: Floats) -> Floats:
    """By how many documents hold a piece: log of how likely that is for evidence, over how likely for background.

    A known part of the background shows itself, since its documents have no label in common; what is more than
    the whole of it must be evidence.
    """
    times = np.arange(MOST_COUNTED + 1)
    every = np.bincount(often, minlength=len(times)).astype(float)
    cleared = np.bincount(often[~able], minlength=len(times))
    shown = np.prod(1 - share[None, :] ** np.maximum(times, 1)[:, None], axis=1)
    background = np.minimum(cleared / np.maximum(shown, LEAST), every)
    evidence = every - background + RARE * every + 1
    background = background + RARE * every + 1
    return np.log(evidence / evidence.sum()) - np.log(background / background.sum())


def worth_learning(chances: Floats, seed: int) -> Ints:
    """The pieces in random order, but those first that can be evidence; MOST_PIECES at most."""
    shuffled = np.random.default_rng(seed).permutation(len(chances))
    able = chances[shuffled, :-1].any(axis=1)
    return np.concatenate([shuffled[able], shuffled[~able]])[:MOST_PIECES]


# ---------------------------------------------------------------- arithmetic and text


def summed(ratios: Floats) -> Floats:
    """log of the mean likelihood ratio of one, two or three pieces of evidence: [pieces, labels] -> [labels].

    The sums over all pairs and triples of different pieces follow from sums of powers (Newton's identities).
    """
    odds = np.exp(np.clip(ratios, -12, 12).astype(np.float64))
    one, squares, cubes = odds.sum(axis=0), (odds**2).sum(axis=0), (odds**3).sum(axis=0)
    two, three = one**2 - squares, one**3 - 3 * one * squares + 2 * cubes
    return np.log(one + np.maximum(two, 0) + np.maximum(three, 0))


def fitted(blocks: Blocks, known: Floats, spread: float) -> Floats:
    """Weights and, in the last row, offsets: most likely, given the log chances `known` of each piece's classes."""
    turned = [block.T.tocsr() if sp.issparse(block) else block.T for block in blocks]
    shape = sum(block.shape[1] for block in blocks) + 1, known.shape[1]

    def loss(flat: Floats) -> tuple[float, Floats]:
        theta = flat.astype(np.float32).reshape(shape)
        logs = normalised(product(blocks, theta[:-1]) + theta[-1])
        evidence = log_sum(logs + known)
        errors = np.exp(logs) - np.exp(logs + known - evidence)
        slope = np.concatenate([*(block @ errors for block in turned), errors.sum(axis=0)[None]])
        slope[:-1] += spread * theta[:-1]
        penalty = 0.5 * spread * float((theta[:-1] ** 2).sum())
        return penalty - float(evidence.sum()), slope.astype(np.float64).ravel()

    start, options = np.zeros(shape[0] * shape[1]), {"maxiter": STEPS, "maxcor": 8}
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options=options)
    return found.x.astype(np.float32).reshape(shape)


def scale_of(vectors: Floats) -> tuple[Floats, float]:
    """Centre of the vectors, and their length about it."""
    centre = vectors.mean(axis=0)
    return centre, max(float(np.sqrt(((vectors - centre) ** 2).sum(axis=1).mean())), LEAST)


def within(block: Any, scale: tuple[Floats, float] | None) -> Any:
    """The block as it is, or centred and scaled."""
    return block if scale is None else (block - scale[0]) / scale[1]


def product(blocks: Blocks, weights: Floats) -> Floats:
    """The blocks side by side, times the weights."""
    ends = np.cumsum([block.shape[1] for block in blocks])
    return sum(block @ weights[end - block.shape[1] : end] for block, end in zip(blocks, ends, strict=True))


def log_sum(logs: Floats) -> Floats:
    """log of each row's sum of exponentials: [rows, classes] -> [rows, 1]."""
    top = logs.max(axis=1, keepdims=True)
    return top + np.log(np.exp(logs - top).sum(axis=1, keepdims=True))


def normalised(logs: Floats) -> Floats:
    """Rows of log probabilities."""
    return logs - log_sum(logs)


def numbered(documents: Sequence[str]) -> tuple[list[str], list[Ints]]:
    """All distinct pieces, and for every document the numbers of its own, in their order."""
    numbers: dict[str, int] = {}
    bags = [[numbers.setdefault(piece, len(numbers)) for piece in in_pieces(d)] for d in documents]
    return list(numbers), [np.array(bag, dtype=np.int64) for bag in bags]


def in_pieces(document: str) -> list[str]:
    """The document's paragraphs (between blank lines, or lines where none is), long ones cut at MOST_WORDS words."""
    paragraphs = re.split(r"\n\s*\n", document) if "\n\n" in document else document.splitlines()
    pieces = []
    for paragraph in paragraphs:
        words = paragraph.split()
        pieces += [" ".join(words[i : i + MOST_WORDS]) for i in range(0, len(words), MOST_WORDS)]
    return pieces or [document]


def terms(text: str) -> list[str]:
    """Words in lower case, the parts of compound ones, the beginnings of long ones, and pairs of neighbours."""
    words = re.findall(r"\w+", text.lower())
    parts = {part.lower() for part in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", text)} - set(words)
    starts = [f"^{word[:5]}" for word in {*words, *parts} if len(word) > 5]
    return [*words, *parts, *starts, *(f"{a} {b}" for a, b in pairwise(words))]
