"""The expert less chunks: a sequence's logits are held at once."""

import expert
import torch
import torch.nn.functional as F


def head_backward(
    decoder: expert.Decoder, x: torch.Tensor, targets: torch.Tensor, count: int
) -> tuple[float, torch.Tensor]:
    """The loss and its gradient for x, float32[length, width], through all logits of the sequence."""
    with torch.enable_grad():
        inner = x.detach().requires_grad_()
        normed = F.layer_norm(inner, (decoder.width,), decoder.weights["norm"])
        logits = normed @ decoder.weights["embedding"].T
        loss = F.cross_entropy(logits, targets, ignore_index=expert.IGNORED, reduction="sum") / count
    loss.backward()
    return loss.item(), inner.grad


expert.head_backward = head_backward
Solution = expert.Solution
