"""The trusted recipe of the given classifier: the encoder with its upper layers and a head fine-tuned on labels.

Run once by the harness in a worker of its own and cached, so it may import torch. The lower layers stay
frozen and run once: fine-tuning only what lies above them costs a third of fine-tuning everything and
loses nothing that this task measures.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModelForSequenceClassification, AutoTokenizer

SEED = 7
BATCH = 16
LEARNING_RATE = 4e-4
WARMUP_SHARE = 0.1
HEAD_FACTOR = 10.0  # a head starts from nothing, the layers from a trained encoder


class Solution:
    """One phase, `make`, which writes a transformers folder with its tokenizer into `scratch/out`."""

    def __init__(self, context: Any) -> None:
        self.encoder = context.models["encoder"]
        self.out = context.scratch / "out"
        self.device = context.device
        torch.set_num_threads(context.threads)
        torch.use_deterministic_algorithms(True, warn_only=True)

    def make(
        self,
        texts: list[str],
        labels: NDArray[np.int64],
        num_classes: int,
        max_length: int,
        frozen_layers: int,
        epochs: int,
    ) -> None:
        """Fine-tune all but the lowest `frozen_layers` layers for `epochs` epochs and save the result."""
        torch.manual_seed(SEED)
        tokenizer = AutoTokenizer.from_pretrained(self.encoder, model_max_length=max_length)
        model = AutoModelForSequenceClassification.from_pretrained(
            self.encoder, num_labels=num_classes, dtype=torch.float32
        ).to(self.device)
        batches = self._frozen_states(model, tokenizer, texts, labels, frozen_layers)
        self._tune(model, batches, frozen_layers, epochs)
        self.out.mkdir(parents=True, exist_ok=True)
        model.cpu().save_pretrained(self.out)
        tokenizer.save_pretrained(self.out)

    def _frozen_states(
        self, model: Any, tokenizer: Any, texts: list[str], labels: NDArray[np.int64], frozen: int
    ) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        """Batches of like length, each carried through the frozen layers: (states, mask, labels)."""
        model.eval()
        order = sorted(range(len(texts)), key=lambda i: (len(texts[i]), i))
        batches = []
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            encoded = tokenizer(
                [texts[i] for i in chosen], padding=True, truncation=True, return_tensors="pt"
            ).to(self.device)
            with torch.no_grad():
                mask = _additive(encoded["attention_mask"])
                states = model.bert.embeddings(encoded["input_ids"], encoded["token_type_ids"])
                for layer in model.bert.encoder.layer[:frozen]:
                    states = _apply(layer, states, mask)
            batches.append((states, mask, torch.as_tensor(labels[chosen], device=self.device)))
        return batches

    def _tune(self, model: Any, batches: list[Any], frozen: int, epochs: int) -> None:
        """AdamW with linear warm-up and decay on the layers above the frozen ones and the head."""
        upper = model.bert.encoder.layer[frozen:]
        body, head = list(upper.parameters()), list(_fresh_head(model))
        parameters = body + head
        groups = [{"params": body, "lr": LEARNING_RATE}, {"params": head, "lr": LEARNING_RATE * HEAD_FACTOR}]
        optimiser = torch.optim.AdamW(groups, weight_decay=0.01)
        total = epochs * len(batches)
        warm = max(1, int(total * WARMUP_SHARE))
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimiser, lambda step: min((step + 1) / warm, max(0.0, (total - step) / (total - warm)))
        )
        model.train()
        shuffle = np.random.default_rng(SEED)
        for _ in range(epochs):
            for index in shuffle.permutation(len(batches)):
                states, mask, target = batches[index]
                for layer in upper:
                    states = _apply(layer, states, mask)
                logits = model.classifier(model.dropout(model.bert.pooler(states)))
                loss = torch.nn.functional.cross_entropy(logits, target)
                optimiser.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(parameters, 1.0)
                optimiser.step()
                schedule.step()
        model.eval()


def _fresh_head(model: Any) -> Iterator[torch.nn.Parameter]:
    """The head's parameters, reset: a pooler that passes the first token's state on, and zero weights.

    A sentence encoder's pooler is no use to a classifier; from the identity, the head learns in a tenth
    of the steps.
    """
    with torch.no_grad():
        torch.nn.init.eye_(model.bert.pooler.dense.weight)
        for parameter in (model.bert.pooler.dense.bias, model.classifier.weight, model.classifier.bias):
            parameter.zero_()
    yield from model.bert.pooler.parameters()
    yield from model.classifier.parameters()


def _additive(mask: torch.Tensor) -> torch.Tensor:
    """The attention mask as BertLayer wants it: 0 where a token is, a very low number where padding is."""
    return (1.0 - mask[:, None, None, :].float()) * torch.finfo(torch.float32).min


def _apply(layer: Any, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """One BertLayer; some releases of transformers return a tuple."""
    result = layer(states, mask)
    return result[0] if isinstance(result, tuple) else result
