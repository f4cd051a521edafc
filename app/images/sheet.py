"""A sheet of paper that lies on something darker: what is beside it is no ink."""

import numpy as np
from numpy.typing import NDArray

from app.images.box import Box
from app.images.normalize import Grey
from app.images.opencv import cv2
from app.images.pixels import outline_of, quantile, shrink
from app.images.strokes import are_strokes, shape_of

GLANCE = 48  # pixels of the longer side on which it is seen that there is none: most pictures need no other look
THUMBNAIL = 192  # pixels of the longer side on which a sheet is looked for
SMALLEST = 16  # pixels of the picture's shorter side
NARROWEST = 0.25  # of the longer side: the shorter one
BLACK = 8  # grey levels: darker than any table; it is the ground of a drawing
DARK_CORNER = 0.93  # of the brightest: a corner with a table is darker, however little of it is seen there
BESIDE = 0.9  # of the sheet's brightness: what it lies on is darker than that
WIDEST_STROKE = 0.14  # of the picture's longer side: what is dark and narrower is ink, and no table
LEAST, MOST = 0.12, 0.95  # of the picture: the sheet's area
CORNERS = 7  # a sheet has as many at most: four, and one more for each that the picture's border cuts off; a scrap more
STRAIGHT = 0.013  # of the picture's longer side: the outline lies within so much of a line from corner to corner
WHOLE = 0.9  # of its hull: a sheet fills as much when its ink is taken away
NEAR, FAR = 0.034, 0.074  # of the picture's longer side: of two squares around a pixel of an edge
STEP = 0.5  # of the difference between sheet and table: so much of it lies between half of NEAR on either side
FAINTEST = 0.08  # of the sheet's brightness: the deepest ink takes away more
LEAST_INK, MOST_INK = 0.001, 0.4  # of the sheet's area
ELSEWHERE = 0.3  # of the sheet's ink: where more lies beside the sheet or across its edge, the edge is of a shadow


def on_sheet(grey: Grey) -> tuple[Grey, Box]:
    """The part of `grey`, uint8 (height, width), that is a sheet of paper with ink on it, and the box of that part.

    Within the box, what lies beside the sheet has its brightness. Without such a sheet: `grey` as it is.
    """
    height, width = grey.shape
    whole = grey, (0, 0, width, height)
    if not _may_be_a_table(grey):
        return whole
    small = cv2.blur(shrink(grey, THUMBNAIL), (3, 3))
    small_sheet = _sheet(small)
    if small_sheet is None:
        return whole
    sheet = cv2.resize(small_sheet, (width, height), interpolation=cv2.INTER_NEAREST)
    left, top, across, down = cv2.boundingRect(sheet)
    rows, columns = slice(top, top + down), slice(left, left + across)
    paper = np.uint8(quantile(small[small_sheet > 0], 0.5))
    return np.where(sheet[rows, columns] > 0, grey[rows, columns], paper), (left, top, left + across, top + down)


def _may_be_a_table(grey: Grey) -> bool:
    """Whether a corner is dark, but not black, as beside a sheet one is, and brightness falls at once somewhere.

    It takes 14 µs for a drawing, and 42 for noisy paper in uneven light, where the thorough look takes 390.
    """
    if min(grey.shape) < max(SMALLEST, NARROWEST * max(grey.shape)):
        return False
    tiny = shrink(grey, GLANCE)
    darkest = min(int(tiny[y, x]) for y in (0, -1) for x in (0, -1))
    if not BLACK < darkest < DARK_CORNER * cv2.minMaxLoc(tiny)[1]:
        return False
    plain = _without_strokes(tiny)
    parted = _parted(plain)
    if parted is None:
        return False
    _, paper, table = parted
    beside = _width(FAR, plain)
    falls = max(
        cv2.norm(plain[beside:], plain[:-beside], cv2.NORM_INF),
        cv2.norm(plain[:, beside:], plain[:, :-beside], cv2.NORM_INF),
    )
    return bool(falls > STEP * (paper - table))


def _sheet(small: Grey) -> Grey | None:
    """Where the sheet is, without its edge: uint8 (height, width), 1 or 0. None when there is none."""
    plain = _without_strokes(small)
    parted = _parted(plain)
    if parted is None:
        return None
    bright, paper, table = parted
    outline = _outline(bright)
    if outline is None:
        return None
    sheet = cv2.drawContours(np.zeros_like(bright), [outline], -1, 1, -1)
    if not _has_an_edge(plain, sheet, STEP * (paper - table)):
        return None
    inner = _eroded(sheet, 3)
    ink = _ink(plain - small, inner, FAINTEST * paper)
    if not _is_written_on(inner, ink):
        return None
    return inner if _has_corners(outline, bright) or _holds_strokes(inner & ink, outline) else None


def _parted(plain: Grey) -> tuple[Grey, float, float] | None:
    """Where it is bright, 1 or 0, as Otsu tells that from the rest, and how bright both are in the mean.

    None where the rest is no table.
    """
    _, bright = cv2.threshold(plain, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    paper, table = cv2.mean(plain, bright)[0], cv2.mean(plain, 1 - bright)[0]
    return (bright, paper, table) if BLACK < table < BESIDE * paper else None


def _without_strokes(small: Grey) -> Grey:
    """A morphological closing. What is outside the picture counts as dark: a narrow strip of a table stays."""
    width = _width(WIDEST_STROKE, small)
    framed = cv2.copyMakeBorder(small, width, width, width, width, cv2.BORDER_CONSTANT, value=0)
    closed = cv2.morphologyEx(framed, cv2.MORPH_CLOSE, np.ones((width, width), np.uint8))
    return closed[width:-width, width:-width]


def _outline(bright: Grey) -> NDArray[np.int32] | None:
    """Of the largest part of `bright`, when it is of a sheet's size and hardly bent inwards."""
    outline = outline_of(bright)
    area = cv2.contourArea(cv2.convexHull(outline)) + 1
    is_sheet = LEAST < area / bright.size < MOST and cv2.contourArea(outline) > WHOLE * area
    return outline if is_sheet else None


def _has_corners(outline: NDArray[np.int32], picture: Grey) -> bool:
    """Whether a sheet was cut and not torn."""
    return len(cv2.approxPolyDP(cv2.convexHull(outline), STRAIGHT * max(picture.shape), True)) <= CORNERS


def _holds_strokes(ink: Grey, outline: NDArray[np.int32]) -> bool:
    left, top, across, down = cv2.boundingRect(outline)
    return are_strokes(ink[top : top + down, left : left + across], shape_of(outline))


def _has_an_edge(plain: Grey, sheet: Grey, step: float) -> bool:
    """Whether the brightness falls by `step` at once where the sheet ends, as it does not where light fades."""
    near, far = _width(NEAR, plain), _width(FAR, plain)
    around = plain[(_dilated(sheet, far) - _dilated(sheet, near)) > 0]
    within = plain[(_eroded(sheet, near) - _eroded(sheet, far)) > 0]
    return bool(len(around) and len(within) and quantile(within, 0.5) - quantile(around, 0.5) > step)


def _ink(off: Grey, sheet: Grey, faintest: float) -> Grey:
    """Where strokes are, on the sheet or not: at least half as deep as the deepest on the sheet."""
    deepest = max(faintest, cv2.minMaxLoc(off, mask=sheet)[1])
    return cv2.threshold(off, deepest / 2, 1, cv2.THRESH_BINARY)[1]


def _is_written_on(sheet: Grey, ink: Grey) -> bool:
    """Whether ink is on the sheet, and hardly any beside it or, where the sheet is not seen whole, across its edge."""
    written = ink & sheet
    area = int(written.sum())
    if not LEAST_INK < area / max(1, int(sheet.sum())) < MOST_INK:
        return False
    beside = int((ink & (1 - _dilated(sheet, _width(NEAR, sheet)))).sum())
    across = 0 if _is_surrounded(sheet) else _reaching(written, sheet - _eroded(sheet, 3))
    return max(beside, across) <= ELSEWHERE * area


def _is_surrounded(sheet: Grey) -> bool:
    """Whether the table is seen on all sides: no shadow surrounds its light, so a digit may touch the edge."""
    return not (sheet[[0, -1]].any() or sheet[:, [0, -1]].any())


def _reaching(ink: Grey, edge: Grey) -> int:
    """The area of those connected parts of `ink` that reach `edge`."""
    labels = cv2.connectedComponents(ink)[1]
    reaching = np.unique(labels[(edge & ink) > 0])
    return int(np.isin(labels, reaching).sum()) if len(reaching) else 0


def _width(share: float, picture: Grey) -> int:
    """A `share` of the longer side, as an odd number of pixels: squares of it have a middle."""
    return int(share * max(picture.shape)) | 1


def _eroded(mask: Grey, width: int) -> Grey:
    return cv2.erode(mask, np.ones((width, width), np.uint8), borderValue=1)


def _dilated(mask: Grey, width: int) -> Grey:
    return cv2.dilate(mask, np.ones((width, width), np.uint8))
