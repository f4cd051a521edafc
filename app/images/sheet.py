"""A sheet of paper that lies on something else, a dark table say: only what is on the sheet is to be read."""

import cv2
import numpy as np

from app.images.ink import shrink
from app.images.normalize import Grey
from app.images.parts import Box

GLANCE = 512  # pixels of the longer side: a sheet is large
NO_STROKE = 0.35  # of the picture's shorter side: what is wider, both ways, is no stroke but a sheet
LEAST, MOST = 0.1, 0.85  # of the picture's area: a smaller one is no sheet, and a larger one the picture itself
FULL = 0.7  # of its box is covered by a sheet, a little turned; by a frame around the digits much less
BARE = 0.8  # of the sheet is without ink; of a bold 0 with its hole, less is ink
SMALLEST = 100  # pixels of the shorter side: no smaller picture shows a sheet
EDGE = 0.02  # of the picture's longer side: so much of a sheet's rim is in doubt


def only_the_sheet(grey: Grey) -> tuple[Grey, Box]:
    """The part of `grey`, uint8 (height, width), in which a sheet lies, with the sheet's own brightness around it.

    And the part's box; both are of the whole picture where no sheet stands out from what it lies on.
    """
    height, width = grey.shape
    small = shrink(grey, GLANCE)
    corners = _sheet(small)
    if corners is None or min(grey.shape) < SMALLEST:
        return grey, (0, 0, width, height)
    corners = np.rint(corners * ((width / small.shape[1]), (height / small.shape[0]))).astype(np.int32)
    left, top, across, down = cv2.boundingRect(corners)
    right, bottom = min(left + across, width), min(top + down, height)
    part = grey[top:bottom, left:right]
    inside = cv2.fillConvexPoly(np.zeros(part.shape, np.uint8), corners - (left, top), 255)
    rim = 2 * int(EDGE / 2 * max(grey.shape)) + 1
    inside = cv2.erode(inside, np.ones((rim, rim), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.where(inside > 0, part, np.uint8(np.median(part[inside > 0]))), (left, top, right, bottom)


def _sheet(grey: Grey) -> np.ndarray | None:
    """The corners of the sheet's hull, (N, 2), or None."""
    _, light = cv2.threshold(grey, 0, 255, cv2.THRESH_OTSU)
    for mask in (light, cv2.bitwise_not(light)):
        corners = _solid(mask)
        if corners is not None:
            return corners
    return None


def _solid(mask: Grey) -> np.ndarray | None:
    """The corners of the largest part of `mask` if that may be a sheet, or None."""
    side = int(NO_STROKE * min(mask.shape)) | 1
    kernel = np.ones((side, side), np.uint8)
    opened = cv2.morphologyEx(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, kernel), cv2.MORPH_OPEN, kernel)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(opened)
    if len(stats) < 2:
        return None
    largest = 1 + int(stats[1:, 4].argmax())
    left, top, width, height, area = stats[largest]
    right, bottom = mask.shape[1] - left - width, mask.shape[0] - top - height
    edges = sum(distance <= side // 8 for distance in (left, top, right, bottom))  # the opening rounds corners off
    if edges > 1 or not LEAST * mask.size <= area <= MOST * mask.size or area < FULL * width * height:
        return None  # a half of the picture that lies in the sun touches three edges
    sheet = np.where(labels == largest, 255, 0).astype(np.uint8)
    if cv2.countNonZero(cv2.bitwise_and(mask, sheet)) < BARE * area:
        return None
    return cv2.convexHull(cv2.findNonZero(sheet))[:, 0]
