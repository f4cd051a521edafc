"""The paper under the ink: how bright it is where, and whether the ink is darker or lighter than it."""

from typing import NamedTuple

import numpy as np

from app.images.normalize import Grey
from app.images.opencv import cv2
from app.images.pixels import Floats, quantile, shrink

# Pixels a side of the thumbnail that is looked at: light changes slowly over a paper, and strokes still show.
SIDE = 24
ROUNDS = 4  # of the robust fit; more change nothing that matters
MARGIN = 2  # rows and columns of the thumbnail that count as its border

_y, _x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j].reshape(2, -1).astype(np.float32)
QUADRATIC: Floats = np.stack([np.ones_like(_x), _x, _y, _x * _x, _x * _y, _y * _y])
_distance = np.maximum(abs(_x), abs(_y))  # from the middle, in 0..1
BORDER = np.flatnonzero(_distance > 1 - 2 * MARGIN / (SIDE - 1))
RIDGE = 1e-3 * np.eye(len(QUADRATIC), dtype=np.float32)  # keeps the equations solvable, whatever the weights

# How much the two signs of light ink count. From a logistic regression on pictures made of MNIST's digits (photographs,
# drawings, tight crops, shadows, chalk): it is right for 99.6% of them, the first sign alone for 97.6%.
ASYMMETRY_COUNTS, BORDER_COUNTS = 4.9, 3.0


class Paper(NamedTuple):
    """`surface`: float32 (24, 24), the brightness of the paper over the whole picture, 0..255.

    `dark`: it is darker than its ink.
    """

    surface: Floats
    dark: bool


def find_paper(grey: Grey) -> Paper:
    """The paper of `grey`, uint8 (height, width).

    Brightness is a quadratic surface, fitted to all pixels such that strokes, which lie off it, hardly count. Ink is on
    that side of it where fewer pixels lie further away; and mostly not at the border, which helps where a digit fills
    its picture.
    """
    thumbnail = cv2.resize(shrink(grey, SIDE), (SIDE, SIDE)).astype(np.float32).reshape(-1)
    surface = _fit(thumbnail) @ QUADRATIC
    border = quantile(thumbnail[BORDER], 0.5)
    above_border = np.tanh((float(thumbnail.mean()) - border) / (float(thumbnail.std()) + 1e-3))
    light_ink = ASYMMETRY_COUNTS * _asymmetry(thumbnail - surface) + BORDER_COUNTS * above_border
    return Paper(surface.reshape(SIDE, SIDE), light_ink > 0)


def _fit(values: Floats) -> Floats:
    """The coefficients, float32 (6,), of the quadratic surface that most of `values`, float32 (576,), lie on.

    Least squares, reweighted (Cauchy's weights; Holland and Welsch 1977): what is off by several times the typical
    distance counts for little. `cv2.solve` and `np.partition` halve the time that `np.linalg.solve` and `np.median`
    take.
    """
    weighted, half = QUADRATIC, len(values) // 2
    for _ in range(ROUNDS):
        normal, right = weighted @ QUADRATIC.T + RIDGE, (weighted @ values)[:, np.newaxis]
        coefficients: Floats = cv2.solve(normal, right, flags=cv2.DECOMP_CHOLESKY)[1][:, 0]
        off = values - coefficients @ QUADRATIC
        # two standard deviations, and the least that counts as that
        off /= 3 * float(np.partition(np.abs(off), half)[half]) + 2
        weighted = QUADRATIC / (1 + off * off)
    return coefficients


def _asymmetry(off: Floats) -> float:
    """In -1..1: positive when what lies far from zero lies above it."""
    return float(np.abs(off) @ off / (off @ off + 1e-6))
