"""Rows of handwritten digits, composed from MNIST's: to fit what tells digits from pieces of them, and for tests."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from app.images.opencv import cv2

Grey = NDArray[np.uint8]
Floats = NDArray[np.float32]

SIDE, TALL = 28, 20  # pixels of MNIST's pictures, and of the digits in them
INK_FROM = 100  # of 255: from here on a pixel counts as a digit's
GAPS = {  # between the ink of neighbours, in pixels of MNIST, from and to
    "touching": (-2.5, 1.0),
    "near": (1.0, 4.0),
    "middling": (3.0, 8.0),
    "wide": (6.0, 24.0),
}
GLUED = "glued"  # MNIST's pictures, side by side as they are
SPACINGS = (GLUED, *GAPS)
PAPERS = ("black", "white", "paper", "noisy", "slate")
DARK_PAPERS = ("black", "slate")
MARKS = "-.,:/()|"  # what stands between digits and is none


@dataclass(frozen=True)
class Style:
    """`spacing`: one of SPACINGS. `paper`: one of PAPERS. `size`: times MNIST's. `vary`: the most that a digit is
    larger or smaller than that. `slant`: pixels to the right for each upwards. `marks`: how often one stands between.
    """

    spacing: str = "near"
    paper: str = "white"
    size: float = 2.0
    vary: float = 1.2
    slant: float = 0.0
    marks: float = 0.0


class Row(NamedTuple):
    """`picture`: uint8 (height, width), on `dark` paper or not. `masks`: bool (N, height, width), each digit's ink."""

    picture: Grey
    dark: bool
    masks: NDArray[np.bool_]


def any_style(random: Generator, spacing: str, marks: float = 0.0) -> Style:
    """A style by chance: half the size of MNIST's digits to five times, upright to rather slanted."""
    return Style(
        spacing=spacing,
        paper=str(random.choice(PAPERS)),
        size=random.uniform(1, 5),
        vary=random.uniform(1, 1.4),
        slant=random.normal(0, 0.15),
        marks=marks,
    )


def compose(digits: Grey, style: Style, random: Generator) -> Row:
    """A row of `digits`, uint8 (N, 28, 28), white on black, from left to right."""
    if style.spacing == GLUED:
        ink: Floats = np.hstack(list(digits)).astype(np.float32) / np.float32(255)
        masks = np.zeros((len(digits), *ink.shape), bool)
        for place, digit in enumerate(digits):
            masks[place, :, SIDE * place : SIDE * (place + 1)] = digit > INK_FROM
    else:
        ink, masks = _written(digits, style, random)
    return Row(on_paper(ink, style.paper, random), style.paper in DARK_PAPERS, masks)


def _written(digits: Grey, style: Style, random: Generator) -> tuple[Floats, NDArray[np.bool_]]:
    tiles: list[tuple[Grey, bool]] = []
    for digit in digits:
        if tiles and random.random() < style.marks:
            tiles.append((_mark(str(random.choice(list(MARKS))), style.size, random), False))
        tiles.append((_tile(digit, style, random), True))
    gaps = [round(gap * style.size) for gap in random.uniform(*GAPS[style.spacing], len(tiles))]
    margin = round(random.uniform(0.2, 1.5) * TALL * style.size)
    height = round(max(tile.shape[0] for tile, _ in tiles) * 1.25 + 1.4 * margin) + 2
    width = sum(tile.shape[1] + max(gap, 1) for (tile, _), gap in zip(tiles, gaps, strict=True)) + 2 * margin
    ink = np.zeros((height, width), np.float32)
    masks: list[NDArray[np.bool_]] = []
    left = margin
    for (tile, is_digit), gap in zip(tiles, gaps, strict=True):
        tall, wide = tile.shape
        top = min(max(round((height - tall) / 2 + random.normal(0, 0.04) * TALL * style.size), 0), height - tall)
        part = slice(top, top + tall), slice(left, left + wide)
        ink[part] = np.maximum(ink[part], tile.astype(np.float32) / 255)
        if is_digit:
            mask = np.zeros(ink.shape, bool)
            mask[part] = tile > INK_FROM
            masks.append(mask)
        left += wide + (gap if is_digit else max(gap, 1))
    return ink, np.stack(masks)


def _tile(digit: Grey, style: Style, random: Generator) -> Grey:
    """The ink of `digit`, larger and slanted."""
    scale = style.size * style.vary ** random.uniform(-1, 1)
    slant = style.slant + random.normal(0, 0.05)
    side = int(SIDE * scale * 1.6)
    middle, off = SIDE / 2 - 0.5, side / 2
    move = np.array(
        [[scale, -slant * scale, off - middle * scale * (1 - slant)], [0, scale, off - middle * scale]], np.float32
    )
    slanted: Grey = cv2.warpAffine(digit, move, (side, side), flags=cv2.INTER_LINEAR)
    return cropped(slanted)


def cropped(tile: Grey) -> Grey:
    """The part of `tile` in which there is ink."""
    left, top, width, height = cv2.boundingRect(np.where(tile > INK_FROM // 2, 1, 0).astype(np.uint8))
    return tile[top : top + height, left : left + width]


def _mark(kind: str, size: float, random: Generator) -> Grey:
    """A dash, dot, comma, colon, slash, bracket or line, as tall as the digits that are `size` times MNIST's."""
    tall = TALL * size
    tile = np.zeros((round(2 * tall), round(1.2 * tall)), np.float32)
    pen = max(1, round(random.uniform(1.5, 4) * size))
    across, down = tile.shape[1] / 2, tall

    def line(x0: float, y0: float, x1: float, y1: float) -> None:
        start, end = (across + x0 * tall, down + y0 * tall), (across + x1 * tall, down + y1 * tall)
        cv2.line(tile, np.rint(start).astype(int), np.rint(end).astype(int), 1, pen)

    if kind == "-":
        half, tilt = random.uniform(0.12, 0.3), random.normal(0, 0.05)
        line(-half, tilt, half, -tilt)
    elif kind == ",":
        line(0, 0.4, -random.uniform(0, 0.15), random.uniform(0.52, 0.75))
    elif kind == "/":
        half = random.uniform(0.15, 0.35)
        line(half, -random.uniform(0.55, 0.75), -half, random.uniform(0.55, 0.75))
    elif kind == "|":
        line(0, -random.uniform(0.6, 0.9), random.normal(0, 0.03), random.uniform(0.6, 0.9))
    elif kind in "()":
        side, turn = (0.2, 180) if kind == "(" else (-0.2, 0)
        axes = round(tall * random.uniform(0.25, 0.45)), round(tall * random.uniform(0.6, 0.8))
        cv2.ellipse(tile, (round(across + side * tall), round(down)), axes, 0, turn - 70, turn + 70, 1, pen)
    else:
        for place in (0.42, -0.1)[: 1 + (kind == ":")]:
            line(0, place, 0, place)
    columns = np.flatnonzero(tile.any(axis=0))
    blurred = cv2.GaussianBlur(tile, (0, 0), 0.25 * size + 0.3)[:, max(0, columns[0] - 1) : columns[-1] + 2]
    mark: Grey = np.clip(255 * blurred, 0, 255).astype(np.uint8)
    return mark


def on_paper(ink: Floats, paper: str, random: Generator) -> Grey:
    """`ink`, float32 (height, width) in 0..1, on one of PAPERS: uint8 (height, width)."""
    if paper == "black":
        return np.rint(255 * ink).astype(np.uint8)
    if paper == "white":
        return np.rint(255 - 255 * ink).astype(np.uint8)
    height, width = ink.shape
    down, across = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    fibres = cv2.GaussianBlur(random.normal(0, 1, ink.shape), (0, 0), random.uniform(0.6, 2.5))
    ground = random.uniform(170, 235) + random.uniform(-25, 25) * across + random.uniform(-25, 25) * down
    ground += random.uniform(1, 5) * fibres / (fibres.std() + 1e-6)
    grey = ground * (1 - ink) + random.uniform(20, 90) * ink
    if paper == "noisy":
        grey += random.normal(0, random.uniform(4, 14), ink.shape)
    if paper == "slate":
        grey = 255 - grey
    written: Grey = np.clip(grey, 0, 255).astype(np.uint8)
    return written
