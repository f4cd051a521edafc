"""Ruled lines and the boxes of forms, told from strokes by how long they are beside a digit."""

import numpy as np

from app.images.normalize import Grey
from app.images.opencv import cv2

RUN = 0.5  # of a digit's height: a line is made of straight runs as long as this
LONG_LEVEL, LONG_UPRIGHT = 1.4, 1.5  # of a digit's height: no stroke is so long; upright ones may be, of a tall 1
BETWEEN = 0.7  # the same, of an upright line that goes from one level line to another: the side of a box
SLANT, THICK = 0.1, 0.2  # a line's strip is no wider than so much of its length, and the line than so much of a digit
THICKER = 3  # pixels more than a line: there it is crossed by a stroke


def without_ruling(mask: Grey, height: float) -> Grey:
    """`mask`, uint8 (height, width), without level and upright lines; strokes that cross one, or run into it, stay.

    `height`: of a usual digit, in pixels.
    """
    level, thickness = _lines(mask, height, LONG_LEVEL)
    upright, width = _lines(mask.T, height, LONG_UPRIGHT)
    if level.any():
        sides, width_of_sides = _lines(mask.T, height, BETWEEN)
        upright = upright | _between(sides.T, level).T
        width = max(width, width_of_sides)
    return erased(erased(mask, level, thickness).T, upright, width).T.copy()


def _lines(mask: Grey, height: float, shortest: float) -> tuple[Grey, float]:
    """Level lines of at least `shortest` times `height` pixels: 255 in uint8 (height, width), and their thickness."""
    runs = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((1, max(5, int(RUN * height))), np.uint8))
    if not cv2.hasNonZero(runs):
        return runs, 0.0
    _, labels, stats, _ = cv2.connectedComponentsWithStats(cv2.dilate(runs, np.ones((3, 3), np.uint8)))
    thickness = stats[:, 4] / stats[:, 2] - 2  # without what the dilation has added
    is_line = (
        (stats[:, 2] >= shortest * height)
        & (stats[:, 3] <= SLANT * stats[:, 2] + THICK * height)
        & (thickness <= THICK * height)
    )
    is_line[0] = False
    if not is_line.any():
        return np.zeros_like(mask), 0.0
    lines = np.where(is_line[labels] & (mask > 0), 255, 0).astype(np.uint8)
    return lines, float(thickness[is_line].max(initial=0))


def _between(upright: Grey, level: Grey) -> Grey:
    """Those of the `upright` lines that end at `level` ones, above and below."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(upright)
    near = cv2.dilate(level, np.ones((7, 3), np.uint8)) > 0
    chosen = np.zeros(len(stats), bool)
    for each in range(1, len(stats)):
        left, top, width, tall, _ = stats[each]
        columns = slice(left, left + width)
        chosen[each] = near[top, columns].any() and near[top + tall - 1, columns].any()
    return np.where(chosen[labels], 255, 0).astype(np.uint8)


def erased(mask: Grey, lines: Grey, thickness: float, goes_on: bool = True) -> Grey:
    """`mask` without its level `lines`, but for where it is thicker than they are: there a stroke goes through.

    Whether strokes and lines that reach the borders of `mask` may be as thick as they like beyond: `goes_on`.
    """
    if not lines.any():
        return mask
    beyond = {} if goes_on else {"borderType": cv2.BORDER_CONSTANT, "borderValue": 0}
    thicker = np.ones((round(thickness) + THICKER, 1), np.uint8)
    strokes = cv2.morphologyEx(mask, cv2.MORPH_OPEN, thicker, **beyond)
    return np.where(lines > 0, strokes, mask).astype(np.uint8)
