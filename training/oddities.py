"""Pictures that aren't digits, drawn: scribbles, shapes, textures, bars, several digits, and digits mixed up.

What the judgement "not a digit" is learnt from. None is taken from a collection, so that collections remain to test it.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from app.errors import BlankPicture
from app.images.fit import fit
from app.images.normalize import SIDE, Grey
from app.images.opencv import cv2

SHEET = 112  # pixels each way of what is drawn on
FITTED = 0.4  # of those whose oddity `fit` leaves go through it, as most do that the service is sent

Random = np.random.Generator
Draw = Callable[[Grey, Random], Grey]


def draw_oddities(count: int, digits: Grey, random: Random) -> Grey:
    """`count` pictures that aren't digits, uint8 (count, 28, 28). `digits`, uint8 (N, 28, 28), are in some of them."""
    kinds = random.choice(len(KINDS), count, p=SHARES)
    return np.stack([_draw(KINDS[kind], digits, random) for kind in kinds.tolist()])


def _draw(kind: Draw, digits: Grey, random: Random) -> Grey:
    drawn = kind(digits, random)
    if kind not in AS_THEY_ARE and random.random() < FITTED:
        try:
            return fit(drawn).image
        except BlankPicture:
            pass  # then as it is
    small: Grey = cv2.resize(drawn, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return small


def _scribble(_: Grey, random: Random) -> Grey:
    """A few lines through random points, straight or bent."""
    sheet = np.zeros((SHEET, SHEET), np.uint8)
    strokes = int(random.integers(1, 5))
    for _stroke in range(strokes):
        least = 2 if strokes > 1 else 4  # a single stroke with fewer points is a 1, or a 7
        points = random.uniform(8, SHEET - 8, (random.integers(least, 7), 2))
        if random.random() < 0.6:
            points = _bent(points)
        closed, width = bool(random.random() < 0.25), int(random.integers(5, 16))
        cv2.polylines(sheet, [points.astype(np.int32)], closed, 255, width, cv2.LINE_AA)
    return sheet


def _bent(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The way through `points`, (N, 2), with its corners rounded: a moving mean of it."""
    steps = np.linspace(0, len(points) - 1, 12 * len(points))
    ways = [np.interp(steps, np.arange(len(points)), axis) for axis in points.T]
    return np.stack([np.convolve(np.pad(way, 4, mode="edge"), np.ones(9) / 9, "valid") for way in ways], axis=1)


def _shapes(_: Grey, random: Random) -> Grey:
    """One to three ellipses, boxes or stars, filled or not, plain or mottled, sometimes the same left and right."""
    sheet = np.zeros((SHEET, SHEET), np.uint8)
    filled = random.random() < 0.6
    for _shape in range(random.integers(1 if filled else 2, 4)):  # a lone ring is a 0
        grey, width = int(random.integers(90, 256)), -1 if filled else int(random.integers(5, 14))
        SHAPES[random.integers(len(SHAPES))](sheet, grey, width, random)
    if random.random() < 0.4:
        sheet = _mottled(sheet, random)
    return np.maximum(sheet, sheet[:, ::-1]) if random.random() < 0.4 else sheet


def _ellipse(sheet: Grey, grey: int, width: int, random: Random) -> None:
    centre, size = random.integers(30, 82, 2).tolist(), random.integers(8, 50, 2).tolist()
    cv2.ellipse(sheet, centre, size, random.uniform(0, 180), 0, 360, grey, width, cv2.LINE_AA)


def _box(sheet: Grey, grey: int, width: int, random: Random) -> None:
    corner = random.integers(6, 60, 2)
    cv2.rectangle(sheet, corner.tolist(), (corner + random.integers(15, 60, 2)).tolist(), grey, width)


def _star(sheet: Grey, grey: int, width: int, random: Random) -> None:
    corners = int(random.integers(3, 9))
    angles, radii = np.sort(random.uniform(0, 2 * np.pi, corners)), random.uniform(15, 52, corners)
    points = np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1) + SHEET / 2
    if width < 0:
        cv2.fillPoly(sheet, [points.astype(np.int32)], grey, cv2.LINE_AA)
    else:
        cv2.polylines(sheet, [points.astype(np.int32)], True, grey, width, cv2.LINE_AA)


SHAPES = (_ellipse, _box, _star)


def _mottled(sheet: Grey, random: Random) -> Grey:
    noise = cv2.GaussianBlur(random.random(sheet.shape, np.float32), (0, 0), random.uniform(1, 8))
    noise = (noise - noise.min()) / max(float(np.ptp(noise)), 1e-6)
    mottled: Grey = (sheet * (1 - random.uniform(0.2, 0.9) * noise)).astype(np.uint8)
    return mottled


def _texture(_: Grey, random: Random) -> Grey:
    """Noise, coarser one way than the other, with much or little contrast."""
    noise = random.normal(0, 1, (SIDE, SIDE)).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), random.uniform(0.8, 6), sigmaY=random.uniform(0.8, 6))
    level = np.quantile(noise, random.uniform(0.3, 0.9))
    texture: Grey = np.clip((noise - level) / noise.std() * random.uniform(60, 400), 0, 255).astype(np.uint8)
    return texture


def _bar(_: Grey, random: Random) -> Grey:
    """A bar that lies, or slants by 30 degrees at most: what stands is a 1."""
    sheet = np.zeros((SHEET, SHEET), np.uint8)
    half, thick = int(random.integers(32, 48)), int(random.integers(2, 16))
    middle = SHEET // 2
    cv2.rectangle(sheet, (middle - half, middle - thick), (middle + half, middle + thick), 255, -1)
    turn = cv2.getRotationMatrix2D((middle, middle), random.uniform(-30, 30), 1)
    turned: Grey = cv2.warpAffine(sheet, turn, sheet.shape)
    return turned


def _on_top(digits: Grey, random: Random) -> Grey:
    """Two digits over one another, one of them upside down."""
    one, other = digits[random.integers(0, len(digits), 2)]
    return np.maximum(_moved(one, random), _moved(other[::-1, ::-1], random))


def _moved(digit: Grey, random: Random) -> Grey:
    return np.roll(digit, random.integers(-6, 7, 2), axis=(0, 1))


def _halves(digits: Grey, random: Random) -> Grey:
    """Half of one digit, mirrored, and half of another."""
    one, other = digits[random.integers(0, len(digits), 2)]
    half = SIDE // 2
    if random.random() < 0.5:
        return np.concatenate([one[:half][::-1], other[half:]])
    return np.concatenate([one[:, :half][:, ::-1], other[:, half:]], axis=1)


def _several(digits: Grey, random: Random) -> Grey:
    """Two or three digits side by side, as large as fits."""
    row = np.concatenate(digits[random.integers(0, len(digits), random.integers(2, 4))][:, :, 4:24], axis=1)
    height = SIDE * SIDE // row.shape[1]
    picture = np.zeros((SIDE, SIDE), np.uint8)
    top = (SIDE - height) // 2
    picture[top : top + height] = cv2.resize(row, (SIDE, height), interpolation=cv2.INTER_AREA)
    return picture


def _negative(digits: Grey, random: Random) -> Grey:
    """Black on white, as it would only be shown by someone who forbids the fit."""
    negative: Grey = 255 - digits[random.integers(len(digits))]
    return negative


KINDS: tuple[Draw, ...] = (_scribble, _shapes, _texture, _bar, _on_top, _halves, _several, _negative)
AS_THEY_ARE = (_several, _negative)  # the fit would take one digit of several, and turn a negative round
SHARES = (0.26, 0.3, 0.1, 0.06, 0.07, 0.07, 0.1, 0.04)
