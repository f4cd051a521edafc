"""A panel that a digit stands on, seen in a picture with another ground: a canvas, a slate, a sign, a torn scrap."""

import numpy as np
from numpy.typing import NDArray

from app.images.box import Box
from app.images.normalize import Grey
from app.images.opencv import cv2
from app.images.parts import Digit
from app.images.pixels import outline_of, quantile, shrink
from app.images.strokes import are_strokes, may_be_written_on, shape_of

FILLED = 0.45  # of its box: so much of a panel is left by the digit on it; few digits fill as much of theirs
STRAIGHT = 0.85  # of the tilted rectangle around it: a panel seen aslant fills as much, a 0 hardly ever more than 0.8
CONVEX = 0.95  # of its hull
CORNERS = 6  # a panel with corners has as many at most, where a bold 0 has eight
FLAT = 0.03  # of its longer side: its outline lies within so much of a line from corner to corner
NARROWEST = 0.4  # of its longer side: a bar that is narrower is a 1
EDGE = 0.03  # of its box's sides: so much of the panel's edge is not looked at
THUMBNAIL = 96  # pixels of the longer side on which strokes are told


def panel_of(grey: Grey, ink: Digit, box: Box, dark: bool) -> Grey | None:
    """The part of `grey`, uint8 (height, width), in `box`, if what was taken for a digit's `ink` there is a panel.

    `dark`: it is darker than what is around it. What lies beside the panel has its brightness. None where `ink` isn't
    as a panel. It costs next to nothing to see that strokes are none.
    """
    left, top, right, bottom = ink.box
    mask = ink.mask[top:bottom, left:right]
    if cv2.countNonZero(mask) < FILLED * mask.size:
        return None
    outline = outline_of(mask)
    has_corners, shape = _has_corners(outline), shape_of(outline)
    if not has_corners and not may_be_written_on(shape):
        return None
    whole = cv2.drawContours(np.zeros(mask.shape, np.uint8), [outline], -1, 1, -1)
    width = 2 * max(1, round(EDGE * max(mask.shape))) + 1
    inner = cv2.erode(whole, np.ones((width, width), np.uint8), borderValue=0)  # the edge of the box is one, too
    seen = grey[box[1] : box[3], box[0] : box[2]]
    panel = cv2.resize(inner, seen.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
    if not panel.any():
        return None
    plain = np.where(panel, seen, np.uint8(quantile(seen[panel], 0.5)))
    return plain if has_corners or are_strokes(_marks(plain, dark), shape) else None


def _marks(panel: Grey, dark: bool) -> Grey:
    """What is lighter than a panel that is `dark`, or darker than a light one."""
    small = cv2.copyMakeBorder(shrink(panel, THUMBNAIL), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    side = cv2.THRESH_BINARY if dark else cv2.THRESH_BINARY_INV
    return cv2.threshold(small, 0, 1, side | cv2.THRESH_OTSU)[1]


def _has_corners(outline: NDArray[np.int32]) -> bool:
    """Whether an outline is as a rectangle's, tilted or seen somewhat aslant."""
    width, height = cv2.minAreaRect(outline)[1]
    area = cv2.contourArea(outline)
    if min(width, height) < NARROWEST * max(width, height) or area < STRAIGHT * width * height:
        return False
    hull = cv2.convexHull(outline)
    corners = cv2.approxPolyDP(hull, FLAT * max(width, height), True)
    return bool(area > CONVEX * cv2.contourArea(hull) and len(corners) <= CORNERS)
