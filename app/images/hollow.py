"""A digit of which only the outline is drawn, a bubble letter or white ink with a black edge: its strokes filled."""

import numpy as np
from numpy.typing import NDArray

from app.images.ink import Ink
from app.images.normalize import Grey
from app.images.opencv import cv2
from app.images.parts import Digit
from app.images.pixels import thickest

ALONE = 0.8  # of all that ink encloses: the inside of an outline; an 8 encloses two parts
BENT = 0.8  # of its hull: the inside of strokes fills less, that of a 0 more
FRAME = 0.96  # of its hull: what more is enclosed by is a frame around a digit, or a 0
SLIM = 0.28  # of its length: the inside of a 1 is slimmer, that of a 0 hardly ever
THIN = 0.35  # of the digit's size: the inside of strokes is no thicker


def filled(ink: Ink, digit: Digit) -> tuple[Ink, Digit]:
    """`ink` and `digit` with the strokes filled, if they are an outline; as they are else."""
    left, top, right, bottom = digit.box
    place = slice(top, bottom), slice(left, right)
    inside = _inside(digit.mask[place])
    if inside is None:
        return ink, digit
    strength, mask = ink.strength.copy(), digit.mask.copy()
    strength[place][inside > 0] = min(255, round(ink.level))
    mask[place][inside > 0] = 255
    return ink._replace(strength=strength), digit._replace(mask=mask)


def _inside(mask: Grey) -> Grey | None:
    """Where the strokes are whose outline is in `mask`, 1 or 0; None where that is no outline.

    It takes some 12 µs to see that a digit encloses nothing, or what is round.
    """
    outlines, tree = cv2.findContours(mask, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
    parents = tree[0, :, 3].tolist()
    holes = [each for each, parent in enumerate(parents) if parent >= 0 and parents[parent] < 0]
    if not holes:
        return None
    areas = [cv2.contourArea(outline) for outline in outlines]
    hole = max(holes, key=areas.__getitem__)
    islands = [each for each, parent in enumerate(parents) if parent == hole]
    strokes = areas[hole] - sum(areas[each] for each in islands)
    if areas[hole] < ALONE * sum(areas[each] for each in holes) or not _is_bent_or_slim(outlines[hole], strokes):
        return None
    inside = cv2.drawContours(np.zeros(mask.shape, np.uint8), outlines, hole, 1, -1)
    for each in islands:
        cv2.drawContours(inside, outlines, each, 0, -1)
    inside[mask > 0] = 0
    # a fat 0 that is bent inside has more ink than inside
    is_line = cv2.countNonZero(inside) > cv2.countNonZero(mask)
    return inside if is_line and thickest(inside) < THIN * max(mask.shape) else None


def _is_bent_or_slim(outline: NDArray[np.int32], strokes: float) -> bool:
    """Whether an `outline`, and the `strokes` in it, of so many pixels, are a digit's."""
    across, along = sorted(cv2.minAreaRect(outline)[1])
    hull = cv2.contourArea(cv2.convexHull(outline))
    return across < SLIM * along or (strokes < BENT * hull and cv2.contourArea(outline) < FRAME * hull)
