"""Pure: alphabets that nobody has seen, each in a style of its own, and hands that write them.

A style is drawn anew for each alphabet: what its strokes are like, how they are inked, how far hands differ and how
far test images are shifted. What was learned on alphabets in other styles carries over only in part.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SIDE = 16  # pixels: images are SIDE by SIDE
LEVELS = 4  # of shift: 0 is none, so the test images of level 0 are like the training images
STROKES = 3  # of a glyph
POINTS = 16  # at which each stroke is drawn
FAMILIES = 5  # curves, corners, lines, loops and waves
CHUNK = 64  # images drawn at a time: bounds the memory of their distances
CLOSEST = 0.2  # glyphs are at least so far apart on average, in units of half an image
CLOSEST_STROKES = 0.35  # and the strokes in which a pair differs
SHARED = 2  # strokes that the two classes of a pair have in common

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Style:
    """What an alphabet's glyphs and images have in common; pixels unless it says otherwise."""

    families: Doubles  # chances of the five families of strokes
    jitter: float  # of control points from hand to hand, in units of half an image
    width: tuple[float, float]  # of a hand, by the glyph's; its height likewise
    slant: float  # of a hand: how far x moves by y, at most
    pen: tuple[float, float]  # thickness, half of it
    fade: float  # from full ink to none
    nib: Doubles  # float64[2, 2]: distances from the pen's path are measured by it
    dash: int  # every so many-th point of a stroke is left out; none at 0
    hollow: float  # how much ink the middle of a stroke lacks
    tone: float  # power to which ink is raised
    grain: float  # standard deviation of what is added to every pixel, where 1 is full ink
    turn: float  # degrees a level
    offset: float  # a level
    blur: float  # of a Gaussian, a level


@dataclass(frozen=True)
class Alphabet:
    """What is drawn of one alphabet.

    `prototypes` are float64[classes, STROKES, 3, 2] control points, `families` int64[classes, STROKES].
    """

    prototypes: Doubles
    families: Ints
    style: Style


@dataclass(frozen=True)
class Drawn:
    """Images float32[n, SIDE, SIDE] of 0 (paper) to 1 (ink), their classes and levels int64[n]."""

    images: NDArray[np.float32]
    labels: Ints
    levels: Ints


def styled(rng: np.random.Generator) -> Style:
    """A style, drawn."""
    narrow, thin, flat, lean = (
        rng.uniform(*ends) for ends in ((0.75, 0.9), (0.4, 0.7), (0.7, 1.4), (0, np.pi))
    )
    axes = np.array([[np.cos(lean), -np.sin(lean)], [np.sin(lean), np.cos(lean)]])
    return Style(
        families=rng.dirichlet(np.full(FAMILIES, 0.7)),
        jitter=float(rng.uniform(0.15, 0.18)),
        width=(float(narrow), float(narrow + rng.uniform(0.2, 0.35))),
        slant=float(rng.uniform(0.1, 0.35)),
        pen=(float(thin), float(thin + rng.uniform(0.2, 0.6))),
        fade=float(rng.uniform(0.7, 1.5)),
        nib=(axes * [1.0 / flat, flat]) @ axes.T,
        dash=int(rng.choice([0, 0, 3, 4, 5])),
        hollow=float(max(0.0, rng.uniform(-0.7, 0.7))),
        tone=float(rng.uniform(0.7, 1.5)),
        grain=float(rng.uniform(0.04, 0.08)),
        turn=float(rng.uniform(9.0, 13.0)),
        offset=float(rng.uniform(0.6, 1.0)),
        blur=float(rng.uniform(0.2, 0.45)),
    )


def invent(classes: int, rng: np.random.Generator) -> Alphabet:
    """An alphabet whose classes come in pairs that share all strokes but one.

    A stroke is given by three control points and a family. A pair is drawn again until its two
    glyphs differ by enough, from each other in the stroke that they do not share, and from all others.
    """
    style = styled(rng)
    prototypes: list[Doubles] = []
    families: list[Ints] = []
    while len(prototypes) < classes:
        one, kinds = np.stack([stroke(rng) for _ in range(STROKES)]), kinds_of(style, STROKES, rng)
        other = np.concatenate([one[:SHARED], [stroke(rng) for _ in range(STROKES - SHARED)]])
        others = np.concatenate([kinds[:SHARED], kinds_of(style, STROKES - SHARED, rng)])
        pair = ((one, kinds), (other, others))
        apart = gap(one[SHARED:], kinds[SHARED:], other[SHARED:], others[SHARED:]) > CLOSEST_STROKES
        if apart and all(
            gap(*new, *old) > CLOSEST for new in pair for old in zip(prototypes, families, strict=True)
        ):
            prototypes += [one, other]
            families += [kinds, others]
    order = rng.permutation(len(prototypes))[:classes]
    return Alphabet(np.stack(prototypes)[order], np.stack(families)[order], style)


def kinds_of(style: Style, count: int, rng: np.random.Generator) -> Ints:
    """int64[count]: the families of so many strokes."""
    return rng.choice(FAMILIES, count, p=style.families)


def stroke(rng: np.random.Generator) -> Doubles:
    """float64[3, 2]: the control points of a stroke of some length, within the unit square around 0."""
    while True:
        points = rng.uniform(-0.85, 0.85, (3, 2))
        if 0.7 < np.linalg.norm(points[2] - points[0]) < 1.6:
            return points


def gap(one: Doubles, kinds: Ints, other: Doubles, others: Ints) -> float:
    """The mean distance from a point of one glyph's strokes to the nearest of the other's, both ways."""
    a, b = (curve(glyph[None], own[None])[0].reshape(-1, 2) for glyph, own in ((one, kinds), (other, others)))
    distances = np.linalg.norm(a[:, None] - b[None], axis=2)
    return float(distances.min(axis=1).mean() + distances.min(axis=0).mean()) / 2


def blends() -> Doubles:
    """float64[FAMILIES, POINTS, 3]: how much of each control point each point of a stroke holds.

    Curves are quadratic Bezier curves, corners go straight over the middle point, lines leave it out, loops are the
    ellipse through all three, waves swing to the middle point and as far to the other side.
    """
    t = np.linspace(0.0, 1.0, POINTS)
    none = np.zeros(POINTS)
    swing, turn = np.sin(2 * np.pi * t), 2 * np.pi * t
    shifted = [(1.0 + 2.0 * np.cos(turn - 2 * np.pi * k / 3)) / 3.0 for k in range(3)]
    return np.stack(
        [
            np.stack([(1 - t) ** 2, 2 * t * (1 - t), t**2], axis=1),  # Bernstein polynomials
            np.stack([np.maximum(1 - 2 * t, 0), 1 - abs(1 - 2 * t), np.maximum(2 * t - 1, 0)], axis=1),
            np.stack([1 - t, none, t], axis=1),
            np.stack(shifted, axis=1),
            np.stack([1 - t - swing / 2, swing, t - swing / 2], axis=1),
        ]
    )


def curve(strokes: Doubles, families: Ints) -> Doubles:
    """float64[n, strokes, 3, 2], int64[n, strokes] -> float64[n, strokes, POINTS, 2] points on the curves."""
    return np.einsum("nspk,nskd->nspd", blends()[families], strokes)


def write(alphabet: Alphabet, labels: Ints, levels: Ints, rng: np.random.Generator) -> Drawn:
    """One image a label, each by another hand, rotated, moved and blurred by its level."""
    chunks = [
        ink(alphabet, labels[start : start + CHUNK], levels[start : start + CHUNK], rng)
        for start in range(0, len(labels), CHUNK)
    ]
    return Drawn(np.concatenate(chunks), labels, levels)


def ink(alphabet: Alphabet, labels: Ints, levels: Ints, rng: np.random.Generator) -> NDArray[np.float32]:
    """float32[n, SIDE, SIDE]: the glyphs `labels` as a hand writes them, after the shift of their level."""
    n, style = len(labels), alphabet.style
    strokes = alphabet.prototypes[labels] + rng.normal(0.0, style.jitter, (n, STROKES, 3, 2))
    hand = np.zeros((n, 2, 2))  # each hand's own width, height and slant
    hand[:, 0, 0], hand[:, 1, 1] = rng.uniform(*style.width, (2, n))
    hand[:, 0, 1] = rng.uniform(-style.slant, style.slant, n)
    angle = np.deg2rad(style.turn * levels * rng.uniform(0.6, 1.0, n) * rng.choice([-1.0, 1.0], n))
    angle += np.deg2rad(rng.uniform(-4.0, 4.0, n))
    turn = np.stack([np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)], axis=1).reshape(n, 2, 2)
    way = rng.uniform(0.0, 2 * np.pi, n)
    move = style.offset * levels * np.stack([np.cos(way), np.sin(way)], axis=0)
    move += rng.uniform(-0.5, 0.5, (2, n))
    path = curve(strokes, alphabet.families[labels])
    if style.dash:
        path = np.delete(path, np.s_[style.dash - 1 :: style.dash], axis=2)
    half = SIDE / 2 - 1.5
    points = np.einsum("nij,njk,npk->npi", turn, hand, path.reshape(n, -1, 2)) * half + move.T[:, None]
    drawn = spread(points, rng.uniform(*style.pen, n), style) ** style.tone
    drawn = blurred(
        drawn * rng.uniform(0.75, 1.0, n)[:, None, None], style.blur * levels * rng.uniform(0.8, 1.0, n)
    )
    return np.clip(drawn + rng.normal(0.0, style.grain, drawn.shape), 0.0, 1.0).astype(np.float32)


def spread(points: Doubles, pen: Doubles, style: Style) -> Doubles:
    """Ink where a pixel lies within `pen` (float64[n], pixels) of a point; less in the middle of a hollow stroke."""
    grid = np.arange(SIDE, dtype=np.float32) - (SIDE - 1) / 2
    across = grid[None, None, None, :] - points[:, :, 0, None, None].astype(np.float32)
    down = grid[None, None, :, None] - points[:, :, 1, None, None].astype(np.float32)
    (xx, xy), (_, yy) = style.nib.astype(np.float32)
    nearest = np.sqrt(
        (xx * across**2 + yy * down**2 + 2.0 * xy * across * down).min(axis=1).astype(np.float64)
    )
    outer = np.clip((pen[:, None, None] - nearest) / style.fade + 0.5, 0.0, 1.0)
    return outer - style.hollow * np.clip(outer - nearest / (pen[:, None, None] + 0.5), 0.0, 1.0)


def blurred(images: Doubles, sigma: Doubles) -> Doubles:
    """Each image under a Gaussian of its own width (pixels), normalised at the edges; 0 leaves it as it is."""
    apart = np.arange(SIDE)[:, None] - np.arange(SIDE)[None, :]
    kernel = np.exp(-0.5 * (apart[None] / np.maximum(sigma, 1e-3)[:, None, None]) ** 2)
    kernel /= kernel.sum(axis=2, keepdims=True)
    return np.einsum("nij,njk,nlk->nil", kernel, images, kernel, optimize=True)
