"""The paper under the ink: how bright it is where, and whether the ink is darker or lighter than it."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from app.images.normalize import Grey

Floats = NDArray[np.float32]

# Pixels a side of the thumbnail that is looked at: light changes slowly over a paper, and strokes still show.
SIDE = 24
ROUNDS = 4  # of the robust fit; more change nothing that matters
MARGIN = 2  # rows and columns of the thumbnail that count as its border

_y, _x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j].reshape(2, -1).astype(np.float32)
QUADRATIC: Floats = np.stack([np.ones_like(_x), _x, _y, _x * _x, _x * _y, _y * _y], axis=1)
PLANE: Floats = np.ascontiguousarray(QUADRATIC[:, :3])
_distance = np.maximum(abs(_x), abs(_y))  # from the middle, in 0..1
BORDER = _distance > 1 - 2 * MARGIN / (SIDE - 1)
MIDDLE = _distance < 0.5

# How much each of the three asymmetries counts for the polarity. From a logistic regression on pictures made of
# MNIST's digits (photographs, drawings, tight crops, shadows); it gets 98% of them right, and the first alone 96%.
WHOLE_COUNTS, BORDER_COUNTS, MIDDLE_COUNTS = 3.0, 2.0, 2.5


class Paper(NamedTuple):
    """`surface`: float32 (24, 24), the brightness of the paper over the whole picture, 0..255.

    `dark`: it is darker than its ink.
    """

    surface: Floats
    dark: bool


def find_paper(grey: Grey) -> Paper:
    """The paper of `grey`, uint8 (height, width).

    Brightness is a quadratic surface, fitted to all pixels such that strokes, which lie off it, hardly count. Ink is
    on that side of it where fewer pixels lie further away. Seen from the border, and within the middle, the same
    question has two more answers, that help where a digit fills its picture, or paper lies on a dark table.
    """
    thumbnail = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32).reshape(-1)
    surface = _fit(thumbnail, QUADRATIC)
    from_border = _fit(thumbnail, PLANE, BORDER)
    within = _fit(thumbnail, PLANE, MIDDLE)
    lighter = (
        WHOLE_COUNTS * _asymmetry(thumbnail - surface)
        + BORDER_COUNTS * _asymmetry(thumbnail - from_border)
        + MIDDLE_COUNTS * _asymmetry((thumbnail - within)[MIDDLE])
    )
    return Paper(surface.reshape(SIDE, SIDE), lighter > 0)


def _fit(values: Floats, basis: Floats, where: NDArray[np.bool_] | slice = slice(None)) -> Floats:
    """The surface, over all of the thumbnail, that most of `values[where]` lie on.

    Least squares, reweighted (Cauchy's weights; Holland and Welsch 1977): what is off by several times the typical
    distance counts for little.
    """
    near, rows = values[where], basis[where]
    weighted = rows
    for _ in range(ROUNDS):
        normal = weighted.T @ rows
        coefficients = np.linalg.solve(normal + 1e-3 * np.eye(len(normal), dtype=np.float32), weighted.T @ near)
        off = near - rows @ coefficients
        scale = 3 * float(np.median(np.abs(off))) + 2  # two standard deviations, and the least that counts as one
        weighted = rows / (1 + (off / scale) ** 2)[:, np.newaxis]
    surface: Floats = basis @ coefficients
    return surface


def _asymmetry(off: Floats) -> float:
    """In -1..1: positive when what lies far from zero lies above it."""
    return float((np.abs(off) * off).sum() / ((off * off).sum() + 1e-6))
