"""Which of the ink belongs to the digit: not the lines of the paper, a frame, specks or a neighbour."""

from typing import NamedTuple

import numpy as np

from app.images.box import Box
from app.images.broken import mended
from app.images.components import Parts, parts_of
from app.images.framed import framed
from app.images.ink import Ink
from app.images.normalize import Grey
from app.images.opencv import cv2

# A ruled line, in shares of the picture: so long, and within so narrow a strip, however it slants.
LINE_LENGTH, LINE_STRIP, LINE_THICKNESS = 0.9, 0.12, 0.06
LINE_RUN = 0.2  # of the picture: a line is made of straight runs as long as this

SPECK = 0.03  # of the main part's ink: less is a speck
GAP = 0.12  # of the main part's size: parts of one digit are no further apart
GAP_AT_BORDER = 0.03  # the same, for a part that is cut by the picture's border
# A part so tall, with so much ink, and beside rather than above, is a digit of its own.
OWN_HEIGHT, OWN_INK, OWN_OVERLAP = 0.6, 0.35, 0.3
OWN_SPECK = 0.12  # of the main part's ink: a thin 1 beside a fat 0 has no more
AT_BORDER, AT_BORDERS, FRAME, BAR = 0.3, 0.2, 0.1, 0.1  # how much less such a part counts as the main one
FLAT = 0.15  # of its width: a part that is lower, and level, is a bar
UNDERLINE = 1.1  # of the width of the ink above it: a bar that is wider underlines it
BROKEN = 0.8  # of the ink: where the digit has less, its strokes may be broken
OFF_CENTRE = 0.6  # how much less a part in a corner counts than one in the middle


class Digit(NamedTuple):
    """`mask`: uint8 (height, width), 255 where the digit's ink is. `box`: around it."""

    mask: Grey
    box: Box
    several: bool
    cut: bool


def find_digit(ink: Ink) -> Digit | None:
    """The main digit of a picture, or None where there is no ink."""
    mask = without_lines(ink.mask)
    if not mask.any():
        return None
    parts = _unframed(parts_of(mask, ink.strength))
    members, box = _joined(parts, _main(parts, mask.shape))
    if len(members) < len(parts.ink) - 1 and parts.ink[members].sum() < BROKEN * parts.ink.sum():
        members, box = mended(mask, parts) or (members, box)
    digit = np.zeros_like(mask)
    digit[parts.place] = parts.drawn(members)
    return Digit(digit, box, _several(parts, members), bool(parts.edges[members].any()))


def _main(parts: Parts, shape: tuple[int, ...]) -> int:
    """The part with the most ink; bars and what touches the border, frames the picture or is in a corner count less."""
    size = np.array(shape[::-1])  # width, height
    sides = parts.boxes[:, 2:] - parts.boxes[:, :2]
    off_centre = np.hypot(*((parts.centres - size / 2) / size).T)
    weight = parts.ink * (1 - OFF_CENTRE * off_centre) * np.sqrt(sides.max(axis=1) / size.max())
    weight *= np.array([1, AT_BORDER, AT_BORDERS, FRAME, FRAME])[parts.edges]
    weight[sides[:, 1] < FLAT * sides[:, 0]] *= BAR
    return 1 + int(weight[1:].argmax())


def _unframed(parts: Parts) -> Parts:
    """`parts`, where ink counts for nothing beside a digit that stands in a frame."""
    held = framed(parts) if len(parts.ink) > 2 else None  # else one part, and what is no ink: most pictures
    return parts if held is None else parts._replace(ink=np.where(held, parts.ink, 0.0))


def _joined(parts: Parts, main: int) -> tuple[list[int], Box]:
    """The main part, which comes first, and those that are near enough to belong to it, and the box around them."""
    members = [main]
    left, top, right, bottom = parts.boxes[main].tolist()
    size = max(right - left, bottom - top)
    rest = [each for each in np.flatnonzero(parts.ink >= SPECK * parts.ink[main]).tolist() if each != main]
    while True:
        far = []
        for each in rest:
            x0, y0, x1, y1 = parts.boxes[each].tolist()
            gap = max(x0 - right, left - x1, y0 - bottom, top - y1)
            beside = min(right, x1) - max(left, x0) < OWN_OVERLAP * (x1 - x0)
            own = y1 - y0 > OWN_HEIGHT * size and parts.ink[each] > OWN_INK * parts.ink[main]
            underlines = y0 >= bottom and x1 - x0 > max(UNDERLINE * (right - left), (y1 - y0) / FLAT)
            if gap > (GAP_AT_BORDER if parts.edges[each] else GAP) * size or (own and beside) or underlines:
                far.append(each)
                continue
            members.append(each)
            left, top, right, bottom = min(left, x0), min(top, y0), max(right, x1), max(bottom, y1)
        if len(far) == len(rest):
            return members, (left, top, right, bottom)
        # what was far may be near now. From the other end: a thousand specks are joined in a few rounds
        rest = far[::-1]


def _several(parts: Parts, members: list[int]) -> bool:
    """Whether another part is a digit of its own: as tall as one, and no frame or shadow at the border."""
    main = members[0]
    heights = parts.boxes[:, 3] - parts.boxes[:, 1]
    size = max(parts.boxes[main, 2:] - parts.boxes[main, :2])
    own = (parts.ink > OWN_SPECK * parts.ink[main]) & (heights > OWN_HEIGHT * size) & (parts.edges < 2)
    own[members] = False
    return bool(own.any())


def without_lines(mask: Grey) -> Grey:
    """`mask` without ruled lines, level or upright. Strokes that cross a line stay whole."""
    _, _, across, down = cv2.boundingRect(mask)
    if across >= LINE_LENGTH * mask.shape[1]:
        mask = _without_level_lines(mask)
    if down >= LINE_LENGTH * mask.shape[0]:
        mask = _without_level_lines(mask.T).T
    return mask


def _without_level_lines(mask: Grey) -> Grey:
    height, width = mask.shape
    run = max(9, int(LINE_RUN * width))
    if run >= width:
        return mask
    runs = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((1, run), np.uint8))
    if cv2.boundingRect(runs)[2] < LINE_LENGTH * width - 2:
        return mask
    _, labels, stats, _ = cv2.connectedComponentsWithStats(cv2.dilate(runs, np.ones((3, 3), np.uint8)))
    is_line = (
        (stats[:, 2] >= LINE_LENGTH * width)
        & (stats[:, 3] <= LINE_STRIP * height)
        & (stats[:, 4] <= (LINE_THICKNESS * height + 3) * stats[:, 2])
    )
    is_line[0] = False
    if not is_line.any():
        return mask
    on_line = is_line[labels] & (mask > 0)
    rest = np.where(on_line, 0, mask).astype(np.uint8)
    thickness = int(stats[is_line, 3].max())
    bridged = cv2.morphologyEx(rest, cv2.MORPH_CLOSE, np.ones((2 * thickness + 3, 1), np.uint8))
    return np.where(on_line, bridged, rest).astype(np.uint8)
