"""Expert: begin where other alphabets left off, augment as the test shifts, let the network's average name the pool.

Five ideas on top of a small residual network. Its convolutions start from weights that were learned on alphabets of
the author's own making (`pretrain.py` in the folder above makes them; -1, 0 or 1 times a scale for each channel, so
that they fit): what a stroke's end or crossing looks like need not be learned from a hundred images. The images it
learns from are turned, moved and blurred at least as far as the statement says that test images are, and bent as
another hand might have written them (elastic distortions, Simard et al. 2003). Its own averaged weights (Polyak and
Juditsky 1992; as a teacher, Tarvainen and Valpola 2017) name the upright pool, where they are right more often than
on shifted images, the more so when asked several times and held to equal shares of all classes; the network learns
those names under shift, the doubtful ones counting less. The better it becomes, the better it names, so the pool is
named anew every few steps. And no label is held out: how long to train is settled beforehand, by the budget, of which
this takes four fifths or a little more.
"""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

WIDTH = 16  # channels of the first layer
BATCH = 64
RATE = 4e-3
DECAY = 0.05
ALONE = 120  # steps on the labelled images, before the network is asked what the pool is
ROUNDS = 13  # times that it is asked
EVERY = 40  # steps after each time
LABELLED = 0.33  # share of a batch that labelled images make up from then on
AVERAGED = 0.98  # of the averaged weights is kept at each step
SMOOTHING = 0.05  # what is told of an image is blended with equal chances by so much
LOOKS = 3  # at each pool image, all but the first of them augmented
GENTLE = 0.35  # share of the full augmentation in these
BALANCING = 10
SHARPER = 2.0  # power to which the network's beliefs about the pool are raised
TURN, MOVE, BLUR = 40.0, 2.8, 1.3  # degrees, pixels, pixels: at most, either way
BEND = 0.4  # pixels: standard deviation of how far a node of the bending net is moved, either way
NODES = 4  # along each side of that net
CARRIED = Path(__file__).with_name("weights.txt")


class Block(nn.Module):
    """Two convolutions whose result is added to what came in (He et al. 2016)."""

    def __init__(self, inward: int, outward: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inward, outward, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outward),
            nn.ReLU(),
            nn.Conv2d(outward, outward, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outward),
        )
        self.shortcut = nn.Sequential()
        if inward != outward or stride != 1:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inward, outward, 1, stride, bias=False), nn.BatchNorm2d(outward)
            )

    def forward(self, x: Tensor) -> Tensor:
        """float32[n, inward, h, w] -> float32[n, outward, h / stride, w / stride]."""
        return F.relu(self.shortcut(x) + self.body(x))


class Solution:
    """One network an alphabet, taught by its own average."""

    def __init__(self, context: Any) -> None:
        self.seed = context.seed
        self.device = torch.device(context.device)

    def train(
        self,
        images: NDArray[np.float32],
        labels: NDArray[np.int64],
        pool: NDArray[np.float32],
        num_classes: int,
    ) -> bytes:
        """Learns from the labels, then from labels and named pool; the averaged network."""
        torch.manual_seed(self.seed)
        known, unknown = (torch.from_numpy(part).unsqueeze(1).to(self.device) for part in (images, pool))
        targets = F.one_hot(torch.from_numpy(labels), num_classes).float().to(self.device)
        pupil = Pupil(num_classes, ALONE + ROUNDS * EVERY, self.device)
        pupil.learn(known, targets, torch.ones(len(known)), ALONE)
        for _ in range(ROUNDS):
            pupil.learn(*with_pool(pupil, known, targets, unknown), EVERY)
        stored = io.BytesIO()
        torch.save((num_classes, pupil.average.module.state_dict()), stored)
        return stored.getvalue()

    def load(self, model: bytes) -> None:
        """The averaged network again."""
        classes, state = torch.load(io.BytesIO(model), map_location=self.device)
        self.network = build(classes).to(self.device).eval()
        self.network.load_state_dict(state)

    @torch.inference_mode()
    def predict(self, images: NDArray[np.float32]) -> NDArray[np.int64]:
        """The network's favourite class of each image."""
        pixels = torch.from_numpy(images).unsqueeze(1).to(self.device)
        return self.network(pixels).argmax(dim=1).cpu().numpy()


class Pupil:
    """A network in training, and the running average of its weights, which is the better of the two."""

    def __init__(self, classes: int, steps: int, device: torch.device) -> None:
        self.network = begun(classes).to(device)
        self.average = AveragedModel(
            self.network, multi_avg_fn=get_ema_multi_avg_fn(AVERAGED), use_buffers=True
        )
        self.optimiser = torch.optim.AdamW(self.network.parameters(), lr=RATE, weight_decay=DECAY)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser, RATE, total_steps=steps, pct_start=0.1
        )

    def learn(self, pixels: Tensor, targets: Tensor, often: Tensor, steps: int) -> None:
        """Steps on augmented images, drawn as `often` says, towards the probabilities `targets`."""
        self.network.train()
        for _ in range(steps):
            rows = torch.multinomial(often, BATCH, replacement=True).to(pixels.device)
            loss = F.cross_entropy(
                self.network(augment(pixels[rows])), targets[rows], label_smoothing=SMOOTHING
            )
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()
            self.schedule.step()
            self.average.update_parameters(self.network)

    @torch.inference_mode()
    def beliefs(self, pixels: Tensor) -> Tensor:
        """float32[n, classes]: the averaged network's probabilities, over LOOKS at each image.

        One mistake of the network is seldom repeated where the image lies a little otherwise.
        """
        network = self.average.module.eval()
        looks = [pixels, *(augment(pixels, GENTLE) for _ in range(LOOKS - 1))]
        return torch.stack([network(look).softmax(dim=1) for look in looks]).mean(dim=0)


def build(classes: int) -> nn.Sequential:
    """float32[n, 1, 16, 16] -> float32[n, classes]."""
    return nn.Sequential(
        nn.Conv2d(1, WIDTH, 5, 2, 2, bias=False),
        nn.BatchNorm2d(WIDTH),
        nn.ReLU(),
        Block(WIDTH, 2 * WIDTH, 2),
        Block(2 * WIDTH, 2 * WIDTH, 1),
        nn.Flatten(),
        nn.Linear(2 * WIDTH * 16, classes),
    )


def begun(classes: int) -> nn.Sequential:
    """A network whose convolutions are those carried along; all else is as it is at first."""
    network = build(classes)
    for one, weights in zip(convolutions(network), unpacked(CARRIED.read_text("utf-8")), strict=True):
        one.weight.data = weights
    return network


def convolutions(network: nn.Module) -> list[nn.Conv2d]:
    """In the order in which they were made."""
    return [part for part in network.modules() if isinstance(part, nn.Conv2d)]


def unpacked(text: str) -> list[Tensor]:
    """The weights of every convolution, from base 85: a float16 a channel, then five weights a byte, in base 3."""
    packed, weights = base64.b85decode("".join(text.split())), []
    for shape in (one.weight.shape for one in convolutions(build(2))):
        channels, count = shape[0], -(-shape.numel() // 5)
        scales = torch.from_numpy(np.frombuffer(packed[: 2 * channels], dtype="<f2").astype(np.float32))
        digits = np.frombuffer(packed[2 * channels : 2 * channels + count], dtype=np.uint8)
        signs = (digits[:, None] // 3 ** np.arange(5) % 3).ravel()[: shape.numel()].astype(np.float32) - 1
        weights.append(torch.from_numpy(signs).view(shape) * scales.view(-1, 1, 1, 1))
        packed = packed[2 * channels + count :]
    return weights


def with_pool(pupil: Pupil, known: Tensor, targets: Tensor, unknown: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Labelled and pool images, what the pupil is told of each, and how often each is drawn."""
    named = balanced(pupil.beliefs(unknown)) ** SHARPER
    named = named / named.sum(dim=1, keepdim=True)
    often = torch.cat([even(len(known), LABELLED), sure(named, 1 - LABELLED)])
    return torch.cat([known, unknown]), torch.cat([targets, named]), often


def even(n: int, share: float) -> Tensor:
    """Weights of n images that are drawn equally often and `share` of the time."""
    return torch.full((n,), share / n)


def sure(beliefs: Tensor, share: float) -> Tensor:
    """Weights of pool images, the surer the more often, `share` of the time in all."""
    most = beliefs.max(dim=1).values.cpu() ** 2
    return share * most / most.sum()


def balanced(beliefs: Tensor) -> Tensor:
    """The beliefs brought to equal shares of all classes, which the statement promises of the pool.

    Columns and rows are scaled in turn (Sinkhorn 1967).
    """
    for _ in range(BALANCING):
        beliefs = beliefs / beliefs.mean(dim=0, keepdim=True)
        beliefs = beliefs / beliefs.sum(dim=1, keepdim=True)
    return beliefs


def augment(pixels: Tensor, strength: float = 1.0) -> Tensor:
    """Each image turned, stretched, slanted, moved, bent, blurred and made noisy: float32[n, 1, h, w].

    `strength` is the share of the full turn, move and blur.
    """
    n, side = len(pixels), pixels.shape[-1]

    def drawn(low: float, high: float) -> Tensor:
        return torch.empty(n, device=pixels.device).uniform_(low, high)

    angle = torch.deg2rad(strength * drawn(-TURN, TURN))
    wide, high, slant = drawn(0.85, 1.15), drawn(0.85, 1.15), drawn(-0.2, 0.2)
    right, down = (2.0 / side * strength * drawn(-MOVE, MOVE) for _ in range(2))
    rows = [
        torch.stack([wide * angle.cos(), slant - high * angle.sin(), right], dim=1),
        torch.stack([wide * angle.sin(), high * angle.cos(), down], dim=1),
    ]
    grid = F.affine_grid(torch.stack(rows, dim=1), list(pixels.shape), align_corners=False)
    turned = F.grid_sample(pixels, grid + bent(n, side, pixels.device), align_corners=False)
    soft = blurred(turned, drawn(0.05, strength * BLUR)) * drawn(0.8, 1.2).view(n, 1, 1, 1)
    return soft + 0.05 * torch.randn_like(soft)


def bent(n: int, side: int, device: torch.device) -> Tensor:
    """float32[n, side, side, 2]: how far each pixel is moved, in units of half an image.

    A net of few nodes moves at random, and what lies between follows smoothly.
    """
    nodes = 2.0 / side * BEND * torch.randn(n, 2, NODES, NODES, device=device)
    return F.interpolate(nodes, size=(side, side), mode="bicubic", align_corners=True).permute(0, 2, 3, 1)


def blurred(pixels: Tensor, sigma: Tensor) -> Tensor:
    """Each image under a Gaussian of its own width, float32[n] pixels: a product from either side."""
    places = torch.arange(pixels.shape[-1], device=pixels.device)
    apart = (places[:, None] - places[None, :]).float()
    kernel = torch.exp(-0.5 * (apart / sigma.view(-1, 1, 1, 1)) ** 2)
    kernel = kernel / kernel.sum(dim=-1, keepdim=True)
    return kernel @ pixels @ kernel.transpose(-1, -2)
