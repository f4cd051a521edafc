"""A picture with several digits → all that may be one of them, line by line.

More is proposed than there is; the recognizer's own answers tell which groups of ink are digits
(`app.images.choice`): LeCun, Bottou, Bengio, Haffner 1998, section VII.
"""

import math
from typing import NamedTuple

from app.errors import BlankPicture, ServiceError, TooManyDigits
from app.images.choice import doubt
from app.images.closeup import look_close
from app.images.decode import decode
from app.images.fit import FAINT, LOW_CONTRAST
from app.images.groups import Group, Piece, cut_apart, groups_of
from app.images.normalize import Grey
from app.images.paper import find_paper
from app.images.parts import Box
from app.images.rows import text_lines
from app.images.sheet import on_sheet

ENOUGH = 1600  # pixels of the longer side at which a photograph is decoded: 100 digits a line have 16 each
MAX_DIGITS = 256  # in a picture
MAX_PIECES = 4 * MAX_DIGITS  # of ink: digits break, and have dots and dashes between them
# Of the doubt: four in five rows have less than the first, and on the wrong paper 98 of 100 have more. The other paper
# must look so many times surer, because the first guess is right in nearly all pictures.
SURE, SURER = 0.2, 2.5


class Line(NamedTuple):
    """A line of text: its pieces of ink, and all groups of them that may be a digit."""

    pieces: list[Piece]
    groups: list[Group]


class Segmented(NamedTuple):
    """`lines`: from top to bottom, boxes in pixels of the picture, upright, as it was sent.

    `width`, `height`: of that picture. `inverted`: dark ink on light paper. `warnings`: in plain words.
    """

    lines: list[Line]
    width: int
    height: int
    inverted: bool
    warnings: tuple[str, ...]


def segment_file(data: bytes, max_pixels: int) -> Segmented:
    """`segment` of the picture file `data`. Raises: what `decode` and `segment` raise."""
    picture = decode(data, max_pixels, enough=ENOUGH)
    found = segment(picture.grey)
    across, down = picture.width / picture.grey.shape[1], picture.height / picture.grey.shape[0]
    lines = [_moved(line, across, down, 0, 0) for line in found.lines]
    return found._replace(lines=lines, width=picture.width, height=picture.height)


def segment(grey: Grey) -> Segmented:
    """Proposes the digits of `grey`, uint8 (height, width).

    If the ink doesn't look like digits, it may be the paper: light digits in the dark windows of a meter's light face
    say. Then both are looked at, and what looks more like digits is taken.

    Raises: BlankPicture, TooManyDigits.
    """
    sheet, (left, top, _, _) = on_sheet(grey)
    dark = find_paper(sheet).dark
    best, doubtful = _seen(sheet, dark)
    if doubtful > SURE:
        other, remaining = _seen(sheet, not dark)
        if remaining < doubtful / SURER:
            best = other
    if isinstance(best, ServiceError):
        raise best
    lines = [_moved(line, 1, 1, left, top) for line in best.lines]
    return best._replace(lines=lines, width=grey.shape[1], height=grey.shape[0])


def _seen(sheet: Grey, dark: bool) -> tuple[Segmented | ServiceError, float]:
    """What is found on darker, or lighter, paper, and how little it looks like digits; or why there is nothing."""
    try:
        found = _segment(sheet, dark)
    except (BlankPicture, TooManyDigits) as error:
        return error, math.inf
    return found, doubt([(line.pieces, line.groups) for line in found.lines])


def _segment(sheet: Grey, dark: bool) -> Segmented:
    close_up = look_close(sheet, dark)
    if len(close_up.boxes) > MAX_PIECES:
        raise TooManyDigits(
            f"Expected at most {MAX_DIGITS} digits in one picture; received {len(close_up.boxes)} pieces of ink."
        )
    lines: list[Line] = []
    number = len(close_up.boxes) + 2  # of the next slice
    for row in text_lines(close_up.boxes, close_up.height):
        pieces = cut_apart(close_up, row, number)
        number = max(number, *(piece.number + 2 for piece in pieces))
        line = Line(pieces, groups_of(pieces, close_up))
        lines.append(_moved(line, 1 / close_up.zoom, 1 / close_up.zoom, 0, 0))
    if not any(line.groups for line in lines):
        raise BlankPicture()
    warnings = (FAINT,) if close_up.ink.level < LOW_CONTRAST else ()
    return Segmented(lines, sheet.shape[1], sheet.shape[0], close_up.inverted, warnings)


def _moved(line: Line, across: float, down: float, left: int, top: int) -> Line:
    """The line with its groups' boxes in pixels of another picture, `across` by `down` times as large."""
    groups = [group._replace(box=_box(group.box, across, down, left, top)) for group in line.groups]
    return Line(line.pieces, groups)


def _box(box: Box, across: float, down: float, left: int, top: int) -> Box:
    x0, y0, x1, y1 = box
    return left + int(x0 * across), top + int(y0 * down), left + round(x1 * across), top + round(y1 * down)
