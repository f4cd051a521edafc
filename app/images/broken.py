"""A digit whose strokes are broken: dotted or dashed, a display's segments, thin lines of a fax or on rough paper."""

import numpy as np
from numpy.typing import NDArray

from app.images.box import Box
from app.images.components import Parts, around
from app.images.normalize import Grey
from app.images.opencv import cv2

# Pixels: the parts of a broken digit are no further from the next one. With the first alone, 67 of 100 digits of broken
# hairlines are read, else 85.
GAPS = 5, 7, 11, 15
APART = 0.25  # of the digit's size: nor than this, and two pixels for dots
PIECE = 0.75  # of the digit's height: what it is broken into is lower, and a digit beside another is not
# Half of the parts' outlines, in shares of their diagonals: what a stroke is broken into has 1.07 to 1.26, and among
# rows of digits nine in ten have more than 1.4.
STRAIGHT = 1.35
WHOLE = 0.9  # of the ink: so much a broken digit has


def mended(mask: Grey, parts: Parts) -> tuple[list[int], Box] | None:
    """Those of the `parts` of `mask` that are a digit of broken strokes, and the box around them; None if none are.

    The one with the most ink comes first. Dotted paper goes on to the border.
    """
    for gap in GAPS:
        members = _chain(mask, parts, gap)
        if parts.ink[members].sum() > WHOLE * parts.ink.sum():
            return _as_a_digit(parts, members, gap)
    return None


def _chain(mask: Grey, parts: Parts, gap: int) -> NDArray[np.intp]:
    """Those parts, with at most `gap` pixels from one to the next, that have the most ink together."""
    near = cv2.dilate(mask[parts.place], np.ones((gap, gap), np.uint8))
    chains = cv2.connectedComponents(near)[1]
    inked = parts.labels > 0
    chain_of = np.zeros(len(parts.ink), np.int32)
    chain_of[parts.labels[inked]] = chains[inked]
    strongest = np.bincount(chain_of, weights=parts.ink).argmax()
    return np.flatnonzero((chain_of == strongest) & (parts.ink > 0))


def _as_a_digit(parts: Parts, members: NDArray[np.intp], gap: int) -> tuple[list[int], Box] | None:
    """`members` and the box around them, where a digit that is broken with such a `gap` has such parts."""
    boxes = parts.boxes[members]
    left, top, right, bottom = around(boxes)
    size = max(right - left, bottom - top)
    widest, highest = (boxes[:, 2:] - boxes[:, :2]).max(axis=0).tolist()
    if parts.edges[members].any() or highest > PIECE * (bottom - top) or widest > PIECE * size:
        return None
    if gap > APART * size + 2 or not _are_straight(parts, members):
        return None
    return members[(-parts.ink[members]).argsort()].tolist(), (left, top, right, bottom)


def _are_straight(parts: Parts, members: NDArray[np.intp]) -> bool:
    """Whether the outlines of all of them are hardly longer than there and back between corners of their boxes."""
    outlines = cv2.findContours(parts.drawn(members), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)[0]
    length = sum(cv2.arcLength(outline, True) for outline in outlines)
    sides = parts.boxes[members, 2:] - parts.boxes[members, :2] - 1
    return bool(length / 2 < STRAIGHT * np.hypot(*sides.T).sum())
