"""A sheet of paper that lies on something darker: what is beside it is no ink."""

import numpy as np

from app.images.box import Box
from app.images.normalize import Grey
from app.images.opencv import cv2
from app.images.pixels import shrink

THUMBNAIL = 64  # pixels of the longer side on which a sheet is looked for
SMALLEST = 16  # pixels of that thumbnail's shorter side
BESIDE = 0.65  # of the sheet's brightness: what it lies on is darker than that, and shadows on it seldom are
BLACK = 8  # grey levels: darker than any table; it is the ground of a drawing
LEAST, MOST = 0.12, 0.95  # of the picture: the sheet's area
STRAIGHT = 0.86  # of the smallest rectangle around it: a sheet fills as much
WHOLE = 0.78  # of its hull: a sheet whose edge is crossed by ink fills as much
LEAST_INK, MOST_INK = 0.005, 0.4  # of the sheet's area
THICKEST = 0.25  # of the sheet's longer side: ink is thinner


def on_sheet(grey: Grey) -> tuple[Grey, Box]:
    """The part of `grey`, uint8 (height, width), that is a sheet of paper with ink on it, and the box of that part.

    Within the box, what lies beside the sheet has its brightness. Without such a sheet: `grey` as it is.
    """
    height, width = grey.shape
    small_sheet = _sheet(cv2.blur(shrink(grey, THUMBNAIL), (3, 3)))
    if small_sheet is None:
        return grey, (0, 0, width, height)
    sheet = cv2.resize(small_sheet, (width, height), interpolation=cv2.INTER_NEAREST)
    left, top, across, down = cv2.boundingRect(sheet)
    rows, columns = slice(top, top + down), slice(left, left + across)
    part, on = grey[rows, columns], sheet[rows, columns] > 0
    return np.where(on, part, np.uint8(np.median(part[on]))), (left, top, left + across, top + down)


def _sheet(small: Grey) -> Grey | None:
    """Where the sheet is, without its edge: uint8 (height, width), 1 or 0. None when there is none."""
    if min(small.shape) < SMALLEST:
        return None
    _, bright = cv2.threshold(small, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    beside = cv2.mean(small, 1 - bright)[0]
    if not BLACK < beside < BESIDE * cv2.mean(small, bright)[0]:
        return None
    outline = max(cv2.findContours(bright, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0], key=cv2.contourArea)
    hull = cv2.convexHull(outline)
    area = cv2.contourArea(hull) + 1
    if not LEAST < area / small.size < MOST or cv2.contourArea(outline) < WHOLE * area:
        return None
    width, height = cv2.minAreaRect(outline)[1]
    if area < STRAIGHT * width * height:
        return None
    sheet = np.zeros_like(small)
    cv2.drawContours(sheet, [hull], -1, 1, -1)
    inner = _eroded(sheet, 5)
    return inner if _has_an_edge(small, sheet) and _has_ink(inner, inner & (1 - bright)) else None


def _has_an_edge(small: Grey, sheet: Grey) -> bool:
    """Whether the brightness falls at once where the sheet ends, and on all sides, as it does not where light fades."""
    around = cv2.dilate(sheet, np.ones((7, 7), np.uint8)) - sheet
    within = sheet - _eroded(sheet, 7)
    if not around.any() or not within.any():
        return False
    return bool(np.median(small[around > 0]) <= BESIDE * np.median(small[within > 0]))


def _has_ink(sheet: Grey, ink: Grey) -> bool:
    """Whether there is something written on it: a share of its area, in strokes."""
    area = int(ink.sum())
    if not LEAST_INK < area / max(1, int(sheet.sum())) < MOST_INK:
        return False
    outline = area - int(_eroded(ink, 3).sum())
    return 2 * area <= THICKEST * max(cv2.boundingRect(sheet)[2:]) * outline


def _eroded(mask: Grey, width: int) -> Grey:
    return cv2.erode(mask, np.ones((width, width), np.uint8), borderValue=1)
