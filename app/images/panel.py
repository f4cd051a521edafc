"""A panel that a digit stands on, seen in a picture with another ground: a canvas, a slate, a sign, a torn scrap."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.images.box import Box
from app.images.normalize import Grey
from app.images.opencv import cv2
from app.images.parts import Digit
from app.images.pixels import quantile, shrink

FILLED = 0.45  # of its box: so much of a panel is left by the digit on it; few digits fill as much of theirs
STRAIGHT = 0.85  # of the tilted rectangle around it: a panel seen aslant fills as much, a 0 hardly ever more than 0.8
CONVEX = 0.95  # of its hull
CORNERS = 6  # a panel with corners has as many at most, where a bold 0 has eight
FLAT = 0.03  # of its longer side: its outline lies within so much of a line from corner to corner
NARROWEST = 0.4  # of its longer side: a bar that is narrower is a 1
EDGE = 0.03  # of its box's sides: so much of the panel's edge is not looked at
THUMBNAIL = 96  # pixels of the longer side on which strokes are told
# What is on a panel without corners are strokes, and not the inside of a fat digit, if they are long, and thin for it.
LONG = 0.2  # of the panel's longer side
THICK = 0.36  # of their own length
BENT = 0.75  # of their hull: bent strokes fill less, and may be on a panel of almost any shape
RAGGED = 0.85, 0.5  # of its hull, and of its longer side: a torn scrap, a leaf, a pebble; a digit is often less
# Of what is straight or fills its hull, a 1 say, the panel must tell more.
EVEN, ROUND = 0.88, 0.98  # of its hull: the less it is, the thinner are the strokes
BROAD = 0.78  # of its longer side: most 0s are less
SLIM = 0.27  # of their own length: strokes on a panel that is no disc and no button


class _Shape(NamedTuple):
    """`broad`: its shorter side, in shares of the longer one. `convex`: its area, in shares of its hull's."""

    broad: float
    convex: float


def panel_of(grey: Grey, ink: Digit, box: Box, dark: bool) -> Grey | None:
    """The part of `grey`, uint8 (height, width), in `box`, if what was taken for a digit's `ink` there is a panel.

    `dark`: it is darker than what is around it. What lies beside the panel has its brightness. None where `ink` isn't
    as a panel. It costs next to nothing to see that strokes are none.
    """
    left, top, right, bottom = ink.box
    mask = ink.mask[top:bottom, left:right]
    if cv2.countNonZero(mask) < FILLED * mask.size:
        return None
    outline = max(cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0], key=cv2.contourArea)
    has_corners, shape = _has_corners(outline), _shape(outline)
    if not has_corners and min(shape.convex / RAGGED[0], shape.broad / RAGGED[1]) < 1:
        return None
    whole = cv2.drawContours(np.zeros(mask.shape, np.uint8), [outline], -1, 1, -1)
    width = 2 * max(1, round(EDGE * max(mask.shape))) + 1
    inner = cv2.erode(whole, np.ones((width, width), np.uint8), borderValue=0)  # the edge of the box is one, too
    if not inner.any():
        return None
    seen = grey[box[1] : box[3], box[0] : box[2]]
    panel = cv2.resize(inner, seen.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
    plain = np.where(panel, seen, np.uint8(quantile(seen[panel], 0.5)))
    return plain if has_corners or _is_drawn_on(plain, dark, shape) else None


def _is_drawn_on(panel: Grey, dark: bool, shape: _Shape) -> bool:
    """Whether what is on a panel of that shape, lighter than it if it is `dark`, are strokes."""
    small = cv2.copyMakeBorder(shrink(panel, THUMBNAIL), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    side = cv2.THRESH_BINARY if dark else cv2.THRESH_BINARY_INV
    _, labels, stats, _ = cv2.connectedComponentsWithStats(cv2.threshold(small, 0, 255, side | cv2.THRESH_OTSU)[1])
    if len(stats) == 1:
        return False
    ink = (labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())).astype(np.uint8)
    points = cv2.findNonZero(ink)
    length = max(cv2.minAreaRect(points)[1])
    thickness = 2 * cv2.minMaxLoc(cv2.distanceTransform(ink, cv2.DIST_L2, 3))[1]
    if length < LONG * max(small.shape) or thickness > THICK * length:
        return False
    is_bent = len(points) < BENT * cv2.contourArea(cv2.convexHull(points))
    is_even = shape.broad > BROAD and shape.convex > (EVEN if thickness < SLIM * length else ROUND)
    return is_bent or is_even


def _has_corners(outline: NDArray[np.int32]) -> bool:
    """Whether an outline is as a rectangle's, tilted or seen somewhat aslant."""
    width, height = cv2.minAreaRect(outline)[1]
    area = cv2.contourArea(outline)
    if min(width, height) < NARROWEST * max(width, height) or area < STRAIGHT * width * height:
        return False
    hull = cv2.convexHull(outline)
    corners = cv2.approxPolyDP(hull, FLAT * max(width, height), True)
    return bool(area > CONVEX * cv2.contourArea(hull) and len(corners) <= CORNERS)


def _shape(outline: NDArray[np.int32]) -> _Shape:
    width, height = cv2.minAreaRect(outline)[1]
    hull = cv2.contourArea(cv2.convexHull(outline))
    return _Shape(min(width, height) / max(width, height, 1), cv2.contourArea(outline) / max(hull, 1))
