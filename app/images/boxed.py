"""Boxes that stand apart, one for each digit of a form: a digit that touches its box is read without it.

They are too short for ruled lines (`app.images.ruled`). Of 120 such rows of five to nine test digits 72 were read right
with boxes as ink, and 104 are without.
"""

import numpy as np
from numpy.typing import NDArray

from app.images.normalize import Grey
from app.images.opencv import cv2
from app.images.ruled import erased

# Of a digit's height: a box is made of straight runs as long as the first, for a digit may fill it, and is no larger
# across and down than the others: the sides of larger ones are as long as ruled lines.
RUN, LARGEST = 0.7, (1.6, 2.2)
SIDE = 0.1  # of a digit's height: a box has its sides so near its border, and within there is paper
COVERED = 0.9  # of each side: that much is ink, where a round 0 has two thirds
CLEAR = 0.35  # of what is as deep again: ink, at most, in the mean; fat type has more, and a meter's dark window
HELD = 0.01  # of what is deeper: ink, at least; else it may be a square 0
MOST = 512  # boxes: what has more is no form that can be read, and each takes 0.1 ms


def without_boxes(mask: Grey, height: float) -> Grey:
    """`mask`, uint8 (height, width), without the sides of boxes that have ink in them; strokes across a side stay.

    `height`: of a usual digit, in pixels.
    """
    run = max(5, int(RUN * height))
    level = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((1, run), np.uint8))
    if not cv2.hasNonZero(level):
        return mask
    upright = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((run, 1), np.uint8))
    runs = cv2.dilate(level | upright, np.ones((3, 3), np.uint8))
    rest, side = mask.copy(), max(3, round(SIDE * height))
    found = cv2.connectedComponentsWithStats(runs)[2][1:, :4]
    of_its_size = ((found[:, 2:] >= run) & (found[:, 2:] <= np.array(LARGEST) * height)).all(axis=1)
    if of_its_size.sum() > MOST:
        return mask
    for left, top, width, tall in found[of_its_size].tolist():
        place = slice(top + 1, top + tall - 1), slice(left + 1, left + width - 1)  # without what the dilation has added
        if _is_box(mask[place] > 0, side):
            levelled = _without_sides(mask[place], level[place], side)
            rest[place] = _without_sides(levelled.T, upright[place].T, side).T
    return rest


def _is_box(ink: NDArray[np.bool_], side: int) -> bool:
    """Whether `ink`, bool (height, width), has all four sides, thin ones, and something in them."""
    turns = [np.rot90(ink, quarter) for quarter in range(4)]
    return bool(
        min(ink.shape) > 4 * side
        and all(turn[:side].any(axis=0).mean() >= COVERED for turn in turns)
        and sum(turn[side : 2 * side, side:-side].mean() for turn in turns) / 4 <= CLEAR
        and ink[2 * side : -2 * side, 2 * side : -2 * side].mean() >= HELD
    )


def _without_sides(ink: Grey, level: Grey, side: int) -> Grey:
    """`ink` of a box without its upper and its lower side, of `level` runs, but for the strokes that cross them."""
    lines = level.copy()
    lines[side:-side] = 0
    thickness = max(cv2.countNonZero(lines[:side]), cv2.countNonZero(lines[-side:])) / ink.shape[1]
    return erased(ink, lines, thickness, goes_on=False)
