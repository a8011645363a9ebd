"""Expert: one sequence at a time, layers recomputed, the loss in chunks, gradients inside the momentum.

And what is freed goes back to the system at once, since the peak counts what a process holds, not what it uses.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from model import IGNORED, Decoder
from numpy.typing import NDArray

CHUNK = 64  # positions whose logits are held at once
MAPPED_FROM = 64 * 1024  # bytes: arrays from this size on are mapped, each by itself
M_MMAP_THRESHOLD = -3  # its number in glibc's malloc.h


class Solution:
    """Holds three arrays of the weights' size (what was sent, the weights, the momentum) and little else."""

    def __init__(self, context: Any) -> None:
        self.device = torch.device(context.device)
        give_back_what_is_freed()

    def train(
        self,
        weights: NDArray[np.float32],
        tokens: NDArray[np.int64],
        targets: NDArray[np.int64],
        settings: str,
    ) -> NDArray[np.float32]:
        given = json.loads(settings)
        # The argument is ours to write to: on a CPU this is no copy.
        self.flat = torch.from_numpy(weights).to(self.device)
        decoder = Decoder(self.flat, given)
        momentum = torch.zeros_like(self.flat)
        gather_gradients_in(momentum, decoder)
        losses = []
        for batch, wanted in zip(torch.from_numpy(tokens), torch.from_numpy(targets), strict=True):
            # v <- mu v + (lambda w + g): everything but g is put in first, then g adds itself.
            momentum.mul_(given["momentum"]).add_(self.flat, alpha=given["weight_decay"])
            losses.append(backward(decoder, batch.to(self.device), wanted.to(self.device)))
            self.flat.add_(momentum, alpha=-given["learning_rate"])
        return np.array(losses, dtype=np.float32)

    def weights(self) -> NDArray[np.float32]:
        return self.flat.cpu().numpy()


def give_back_what_is_freed() -> None:
    """Fixes the size from which glibc maps an array by itself; another C library may do without.

    glibc raises that size to that of whatever mapped array was freed last. Arrays below it lie in the heap, where the
    room of freed ones stays the process's own, and holes between them fit no larger array.
    """
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, MAPPED_FROM)


def gather_gradients_in(momentum: torch.Tensor, decoder: Decoder) -> None:
    """Makes each parameter's `grad` a view of `momentum`: autograd adds to a gradient that is there."""
    start = 0
    for parameter in decoder.weights.values():
        size = parameter.numel()
        parameter.grad = momentum[start : start + size].view(parameter.shape)
        start += size


def backward(decoder: Decoder, batch: torch.Tensor, wanted: torch.Tensor) -> float:
    """Adds the gradient of the mean loss over the batch's targets, and gives that loss."""
    count = int((wanted != IGNORED).sum())
    total = 0.0
    for sequence, target in zip(batch, wanted, strict=True):
        # Behind a sequence's last target nothing counts, and no earlier position looks there.
        used = int(torch.nonzero(target != IGNORED).max()) + 1
        total += sequence_backward(decoder, sequence[:used], target[:used], count)
    return total


def sequence_backward(decoder: Decoder, tokens: torch.Tensor, targets: torch.Tensor, count: int) -> float:
    """One sequence's part: forward keeping each layer's input alone, then back, layer by layer."""
    embedding, positions = decoder.weights["embedding"], decoder.weights["positions"]
    inputs = []
    with torch.no_grad():
        x = (embedding[tokens] + positions[: len(tokens)])[None]
        for layer in range(decoder.layers):
            inputs.append(x)
            x = decoder.block(x, layer)
        loss, gradient = head_backward(decoder, x[0], targets, count)
    gradient = gradient[None]
    for layer in reversed(range(decoder.layers)):
        x = inputs.pop().requires_grad_()
        decoder.block(x, layer).backward(gradient)
        gradient = x.grad
    embedding.grad.index_add_(0, tokens, gradient[0])
    positions.grad[: len(tokens)].add_(gradient[0])
    return loss


def head_backward(
    decoder: Decoder, x: torch.Tensor, targets: torch.Tensor, count: int
) -> tuple[float, torch.Tensor]:
    """The loss and its gradient for x, float32[length, width], without ever holding all logits.

    The gradient of cross-entropy for the logits is softmax less one at the target: it takes the
    logits' own place, goes on to the head's weights and to `x` at once, and is gone.
    """
    head, gain = decoder.weights["embedding"], decoder.weights["norm"]
    gradient = torch.empty_like(x)
    loss = 0.0
    for rows, wanted, out in zip(x.split(CHUNK), targets.split(CHUNK), gradient.split(CHUNK), strict=True):
        with torch.enable_grad():
            inner = rows.detach().requires_grad_()
            normed = F.layer_norm(inner, (decoder.width,), gain)
        logits = normed.detach() @ head.detach().T
        logits.sub_(logits.logsumexp(dim=1, keepdim=True))
        kept = wanted != IGNORED
        at = torch.where(kept, wanted, 0)[:, None]
        loss -= float((logits.gather(1, at)[:, 0] * kept).sum()) / count
        logits.exp_().scatter_add_(1, at, logits.new_full(at.shape, -1.0))
        logits.mul_((kept / count)[:, None])
        head.grad.addmm_(logits.T, normed.detach())
        normed.backward(logits @ head.detach())
        out.copy_(inner.grad)
    return loss, gradient
