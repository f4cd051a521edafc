"""Strokes on something that may be of any shape, a torn scrap say, told from the inside of a fat digit."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.images.normalize import Grey
from app.images.opencv import cv2
from app.images.pixels import thickest

LONG = 0.2  # of the longer side of what they are on
BENT, BENT_THICK = 0.75, 0.42  # of their hull, and of their length: bent strokes are less, on almost any shape
RAGGED = 0.85  # of its hull: a torn scrap, a leaf, a pebble fills as much, and a digit often less
NARROW = 0.5  # of its longer side: such a shape is broader
# Of marks that are straight or fill their hull, a 1 or a 6 say, the shape that they are on must tell more.
UPRIGHT = 0.8  # of their width: digits are higher, the inside of a broad 0 is not
BROAD = 0.78  # of its longer side: most 0s are less
EVEN, EVEN_THICK = 0.88, 0.27  # of its hull, and of the marks' length: on a scrap that is a little torn
ROUND, ROUND_THICK = 0.98, 0.36  # the same: on a disc or a button
# The inside of a bold serif 0 is as fat, goes through more of its height, and the 0 is less broad. Without this look,
# a third of such 0s is read as the 1 inside them.
THROUGH, ROUNDISH = 0.78, 0.88


class Shape(NamedTuple):
    """`broad`: its shorter side, in shares of the longer one. `convex`: its area, in shares of its hull's."""

    broad: float
    convex: float


def shape_of(outline: NDArray[np.int32]) -> Shape:
    """The shape of an outline, int32 (N, 1, 2), as `outline_of` gives it, that is taken for a panel's."""
    width, height = cv2.minAreaRect(outline)[1]
    hull = cv2.contourArea(cv2.convexHull(outline))
    return Shape(min(width, height) / max(width, height, 1), cv2.contourArea(outline) / max(hull, 1))


def may_be_written_on(shape: Shape) -> bool:
    """Whether a shape is as a scrap's, and not as most digits'."""
    return shape.convex > RAGGED and shape.broad > NARROW


def are_strokes(marks: Grey, shape: Shape) -> bool:
    """Whether the largest of `marks` on what has that `shape` is a stroke, or several that touch.

    `marks`: uint8 (height, width), of the size of what they are on, 0 where nothing is.
    """
    _, labels, stats, _ = cv2.connectedComponentsWithStats(marks)
    if len(stats) == 1:
        return False
    largest = (labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())).astype(np.uint8)
    points = cv2.findNonZero(largest)
    length = max(cv2.minAreaRect(points)[1])
    thickness = thickest(largest)
    if length < LONG * max(marks.shape):
        return False
    if len(points) < BENT * cv2.contourArea(cv2.convexHull(points)) and thickness < BENT_THICK * length:
        return True
    _, _, across, down = cv2.boundingRect(largest)
    fat = thickness > EVEN_THICK * length
    if down < UPRIGHT * across or (fat and shape.broad < ROUNDISH and down > THROUGH * marks.shape[0]):
        return False
    least, most = (ROUND, ROUND_THICK) if fat else (EVEN, EVEN_THICK)
    return shape.broad > BROAD and shape.convex > least and thickness < most * length
