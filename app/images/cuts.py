"""Where touching digits may be cut apart: seams from top to bottom that cross little ink."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.images.normalize import Grey

UNCUT = 0.55  # of a usual digit's height: what is narrower is one digit
APART = 0.15  # of the height: seams are so far from each other and from the ends
DEEPEST = 0.6  # of the height: a seam through more ink than that parts no digits
SIDEWAYS = 0.3  # of a pixel of ink: what a step aside costs a seam
MOST = 3  # seams for each height of a digit in a piece's width


class Seam(NamedTuple):
    """`columns`: int (height,), its place in each row; what lies at or beyond it is to the right. `ink`: pixels."""

    columns: NDArray[np.int64]
    ink: float


def find_seams(mask: Grey, height: float) -> list[Seam]:
    """Seams through `mask`, uint8 (height, width), 255 where one piece's ink is, from left to right.

    Each is the cheapest way from the top to its place at the bottom, one pixel down and at most one aside at a time
    (Avidan and Shamir 2007): it falls between strokes, and cuts them where they are thinnest. `height`: of a digit.
    """
    if mask.shape[1] < UNCUT * height:
        return []
    ink = mask > 0
    came_from, costs = _fall(ink)
    chosen: list[Seam] = []
    places: list[float] = []
    apart, most = APART * height, round(MOST * mask.shape[1] / height)
    for end in np.argsort(costs, kind="stable").tolist():
        if len(chosen) == most or costs[end] > DEEPEST * height:
            break
        columns = _traced(came_from, end)
        place = float(columns.mean())
        if min(place, mask.shape[1] - place, *(abs(place - other) for other in places)) < apart:
            continue
        chosen.append(Seam(columns, float(ink[np.arange(len(columns)), columns].sum())))
        places.append(place)
    return [chosen[each] for each in np.argsort(places)]


def _fall(ink: NDArray[np.bool_]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """For each pixel, from which side the cheapest way comes to it: -1, 0 or 1; and what the whole ways cost."""
    height, width = ink.shape
    came_from = np.zeros((height, width), np.int8)
    costs = ink[0].astype(np.float32)
    sides = np.full((3, width), np.inf, np.float32)
    for row in range(1, height):
        sides[0, 1:] = costs[:-1] + SIDEWAYS
        sides[1] = costs
        sides[2, :-1] = costs[1:] + SIDEWAYS
        best = sides.argmin(axis=0)
        came_from[row] = best - 1
        costs = sides.min(axis=0) + ink[row]
    return came_from, costs


def _traced(came_from: NDArray[np.int8], end: int) -> NDArray[np.int64]:
    columns = np.empty(len(came_from), np.int64)
    column = end
    for row in range(len(came_from) - 1, -1, -1):
        columns[row] = column
        column += int(came_from[row, column])
    return columns
