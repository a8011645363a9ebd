"""Makes the weights that the expert carries along: `python pretrain.py GLYPHS` writes weights.txt beside it.

GLYPHS is tasks/small-data/glyphs.py. The network learns to tell all classes of many alphabets apart at once, under
the expert's own augmentation. What it learned of strokes is kept, its last layer is not; each weight then becomes
-1, 0 or 1 times a scale of its channel (ternary weight networks, Li and Liu 2016). Another machine's rounding gives
other weights, which serve as well.
"""

from __future__ import annotations

import base64
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

EXPERT = Path(__file__).with_name("expert")
ALPHABETS, CLASSES, IMAGES = 160, 10, 20  # images of each class
STEPS, BATCH, RATE, DECAY = 7000, 96, 4e-3, 0.02
SEED = 4242
CUT = 0.7  # of a channel's mean weight: smaller ones become 0


def loaded(path: Path) -> ModuleType:
    """The module in the file."""
    spec = importlib.util.spec_from_file_location(f"loaded_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def library(glyphs: ModuleType) -> tuple[Tensor, Tensor]:
    """Upright images float32[n, 1, side, side] of many alphabets, and which class of which alphabet each is."""
    rng = np.random.default_rng(SEED)
    labels = np.repeat(np.arange(CLASSES), IMAGES)
    images = [
        glyphs.write(glyphs.invent(CLASSES, rng), labels, np.zeros_like(labels), rng).images
        for _ in range(ALPHABETS)
    ]
    classes = (np.arange(ALPHABETS)[:, None] * CLASSES + labels).ravel()
    return torch.from_numpy(np.concatenate(images)).unsqueeze(1), torch.from_numpy(classes)


def learned(expert: ModuleType, pixels: Tensor, classes: Tensor) -> nn.Module:
    """The expert's network, taught all classes at once."""
    torch.manual_seed(0)
    network = expert.build(ALPHABETS * CLASSES)
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=STEPS, pct_start=0.1)
    for _ in range(STEPS):
        rows = torch.randint(len(pixels), (BATCH,))
        loss = F.cross_entropy(network(expert.augment(pixels[rows])), classes[rows], label_smoothing=0.05)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return network


def packed(weights: Tensor) -> bytes:
    """One convolution: a float16 scale for each channel, then its signs, five to a byte in base 3."""
    sizes = weights.abs().flatten(1)
    kept = sizes > CUT * sizes.mean(dim=1, keepdim=True)
    scales = (sizes * kept).sum(dim=1) / kept.sum(dim=1)
    digits = (weights.sign().flatten(1) * kept + 1).flatten().to(torch.int64).numpy()
    digits = np.append(digits, np.zeros(-len(digits) % 5, dtype=np.int64)).reshape(-1, 5)
    return scales.numpy().astype("<f2").tobytes() + (digits @ 3 ** np.arange(5)).astype(np.uint8).tobytes()


def write(expert: ModuleType, network: nn.Module) -> None:
    """The convolutions' weights, as text, to where the expert reads them."""
    blob = b"".join(packed(one.weight.detach()) for one in expert.convolutions(network))
    text = base64.b85encode(blob).decode()
    lines = [text[start : start + 120] for start in range(0, len(text), 120)]
    expert.CARRIED.write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    torch.set_num_threads(1)
    own = loaded(EXPERT / "solution.py")
    write(own, learned(own, *library(loaded(Path(sys.argv[1])))))
