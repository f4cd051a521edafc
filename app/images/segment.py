"""A picture with several digits → all that may be one of them, line by line.

More is proposed than there is; the recognizer's own answers tell which groups of ink are digits
(`app.images.choice`): LeCun, Bottou, Bengio, Haffner 1998, section VII.
"""

import math
from typing import NamedTuple

import numpy as np

from app.errors import BlankPicture, ServiceError, TooManyDigits
from app.images.box import Box
from app.images.choice import seem
from app.images.closeup import look_close
from app.images.decode import decode, decode_tints
from app.images.fit import FAINT, LOW_CONTRAST
from app.images.fitting import MAX_DIGITS
from app.images.groups import Group, Piece, Run, cut_apart, groups_of, runs_of
from app.images.inked import is_ink
from app.images.normalize import Grey
from app.images.paper import find_paper
from app.images.rows import text_lines
from app.images.sheet import on_sheet
from app.images.tilt import tilt_of, turned

ENOUGH = 1600  # pixels of the longer side at which a photograph is decoded: 100 digits a line have 16 each
MAX_PIECES = 4 * MAX_DIGITS  # of ink: digits break, and have dots and dashes between them
MAX_GROUPS = 4 * MAX_DIGITS  # of pieces, which take a millisecond each; noise has thousands
FEW_GROUPS = MAX_GROUPS // 4  # on the other paper, which rarely has digits, and then few: a meter's
MORE_GROUPS, FEWEST = 6, 16  # with what is beside a sheet: so many times its own groups, or those that count as some
# Of the doubt. Of 800 rows of test digits one in ten had more than 0.1, one in twenty more than 1; on their wrong paper
# one in ten had less than 0.08, so that alone tells little. Of 40 meters and plates 33 had less than 0.02 on the true
# paper.
SURE, PLAIN, LIKELY, SURER = 0.2, 0.1, 0.3, 2

TOO_MUCH_INK = "Expected a few hundred digits in one picture at most; received ink for many more."


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


class _Look(NamedTuple):
    """What was found on `dark` paper or not, or why nothing was; what of it seem to be digits, and how doubtful."""

    found: Segmented | ServiceError
    dark: bool
    digits: list[Group]
    doubt: float


def segment_file(data: bytes, max_pixels: int) -> Segmented:
    """`segment` of the picture file `data`, by its colours where nothing is darker or lighter than its paper.

    Raises: what `decode` and `segment` raise.
    """
    picture = decode(data, max_pixels, enough=ENOUGH)
    try:
        found = segment(picture.grey)
    except BlankPicture:
        picture = decode_tints(data, max_pixels, ENOUGH)
        found = segment(picture.grey)
    across, down = picture.width / picture.grey.shape[1], picture.height / picture.grey.shape[0]
    lines = [_moved(line, across, down, 0, 0) for line in found.lines]
    return found._replace(lines=lines, width=picture.width, height=picture.height)


def segment(grey: Grey) -> Segmented:
    """Proposes the digits of `grey`, uint8 (height, width).

    If the ink doesn't look like digits, it may be the paper: light digits in the dark windows of a meter's light face
    say. Then both are looked at; the other is taken if it looks like digits, with paper around them. Where a sheet
    seems to lie on something darker, that may be a part of it in the shadow, and where lines climb, they are made
    level: what looks more like digits is taken.

    Raises: BlankPicture, TooManyDigits.
    """
    sheet, (left, top, _, _) = on_sheet(grey)
    best = _on_either_paper(sheet, find_paper(sheet).dark)
    if sheet is not grey:
        whole = _look(grey, best.dark, min(FEW_GROUPS, MORE_GROUPS * max(FEWEST, _groups(best))))
        if whole.doubt < PLAIN and len(whole.digits) > len(best.digits) and is_ink(grey, whole.digits, whole.dark):
            sheet, left, top, best = grey, 0, 0, whole
    found = _levelled(sheet, best)
    lines = [_moved(line, 1, 1, left, top) for line in found.lines]
    return found._replace(lines=lines, width=grey.shape[1], height=grey.shape[0])


def _on_either_paper(sheet: Grey, dark: bool) -> _Look:
    """What is found on darker, or lighter, paper, or on the other, if that is rather the paper."""
    best = _look(sheet, dark, MAX_GROUPS)
    if isinstance(best.found, TooManyDigits):
        return best
    sure = is_ink(sheet, best.digits, dark)
    if sure and best.doubt <= SURE:
        return best
    other = _look(sheet, not dark, FEW_GROUPS)
    surer = other.doubt < (LIKELY if not sure else min(LIKELY, best.doubt / SURER))
    return other if surer and is_ink(sheet, other.digits, not dark) else best


def _look(sheet: Grey, dark: bool, most_groups: int) -> _Look:
    """What is found on darker, or lighter, paper, and how little it looks like digits; or why there is nothing."""
    try:
        found = _segment(sheet, dark, most_groups)
    except (BlankPicture, TooManyDigits) as error:
        return _Look(error, dark, [], math.inf)
    return _Look(found, dark, *seem([(line.pieces, line.groups) for line in found.lines]))


def _groups(look: _Look) -> int:
    return 0 if isinstance(look.found, ServiceError) else sum(len(line.groups) for line in look.found.lines)


def _levelled(sheet: Grey, look: _Look) -> Segmented:
    """What is found when the sheet is turned until its lines are level, if they climb and that looks like digits.

    Raises: what was found instead of digits.
    """
    found = look.found
    if isinstance(found, ServiceError):
        raise found
    tilt = tilt_of(np.array([piece.box for line in found.lines for piece in line.pieces], np.int32))
    if not tilt:
        return found
    level = turned(sheet, tilt)
    other = _look(level.grey, look.dark, MAX_GROUPS)
    if isinstance(other.found, ServiceError) or other.doubt > max(PLAIN, SURER * look.doubt):
        return found
    lines = [
        line._replace(groups=[group._replace(box=level.box_before(group.box)) for group in line.groups])
        for line in other.found.lines
    ]
    return other.found._replace(lines=lines)


def _segment(sheet: Grey, dark: bool, most_groups: int) -> Segmented:
    close_up = look_close(sheet, dark)
    if len(close_up.boxes) > MAX_PIECES:
        raise TooManyDigits(
            f"Expected at most {MAX_DIGITS} digits in one picture; received {len(close_up.boxes)} pieces of ink."
        )
    if len(close_up.boxes) > most_groups:  # before they are cut, which takes longer than to find them
        raise TooManyDigits(TOO_MUCH_INK)
    rows: list[tuple[list[Piece], list[Run]]] = []
    number = len(close_up.boxes) + 2  # of the next slice
    for row in text_lines(close_up.boxes, close_up.height):
        pieces = cut_apart(close_up, row, number)
        number = max(number, *(piece.number + 2 for piece in pieces))
        rows.append((pieces, runs_of(pieces)))
    if sum(len(runs) for _, runs in rows) > most_groups:
        raise TooManyDigits(TOO_MUCH_INK)
    lines = [Line(pieces, groups_of(pieces, runs, close_up)) for pieces, runs in rows]
    if not any(line.groups for line in lines):
        raise BlankPicture()
    lines = [_moved(line, 1 / close_up.zoom, 1 / close_up.zoom, 0, 0) for line in lines]
    warnings = (FAINT,) if close_up.ink.level < LOW_CONTRAST else ()
    return Segmented(lines, sheet.shape[1], sheet.shape[0], close_up.inverted, warnings)


def _moved(line: Line, across: float, down: float, left: int, top: int) -> Line:
    """The line with its groups' boxes in pixels of another picture, `across` by `down` times as large."""
    groups = [group._replace(box=_box(group.box, across, down, left, top)) for group in line.groups]
    return Line(line.pieces, groups)


def _box(box: Box, across: float, down: float, left: int, top: int) -> Box:
    x0, y0, x1, y1 = box
    return left + int(x0 * across), top + int(y0 * down), left + round(x1 * across), top + round(y1 * down)
