"""Any picture of a digit → what MNIST would have made of it."""

from collections.abc import Callable
from math import ceil
from typing import NamedTuple

from app.errors import BlankPicture
from app.images.box import Box
from app.images.flat import strongest_ink
from app.images.hollow import filled
from app.images.ink import Ink, find_ink
from app.images.mnist import as_mnist
from app.images.normalize import WHITE, Grey
from app.images.opencv import cv2
from app.images.panel import panel_of
from app.images.parts import Digit, find_digit
from app.images.pixels import shrink, thickest
from app.images.ruling import above_ruling, beside
from app.images.sheet import on_sheet

WORK = 112  # pixels of the longer side on which ink is looked for
TINY = 64  # pixels of the longer side: a smaller picture is enlarged, so that strokes have more pixels than one or two
ENLARGED = 2  # times
SMALL_DIGIT = 0.3  # of the picture: a smaller digit is looked at again, closer
MARGIN = 0.35  # of the digit's size: so much of the paper around it is looked at again with it
STROKE = 0.12  # of the picture: in the second look, strokes are narrower, and shadows wider
STRONGER = 1.2  # times as strong as a shadow is the ink that is not seen for it
MORE, HELD = 1.1, 0.9  # of the box of a part of a digit: the whole has so much more, with so much of the part in it
EDGES = 0.5  # of a sheet's box: what has more of it are the edges of the sheet
AS_PLAIN = 0.5  # of a panel's strength: the digit on it has more, the texture of a thick stroke less
FILLED = 0.45  # of its box: most digits fill less, and a blot more
THICK = 0.4  # of its longer side: a blot is, and no stroke of a digit
BLANK_LEVEL = 8.0  # grey levels; weaker ink is none
LOW_CONTRAST = 40.0  # grey levels

TOUCHES = "The digit touches the border of the picture; a part of it may be missing."
SEVERAL = "There seem to be several digits; the largest was read. POST /read reads them all."
FAINT = "The ink is faint; more contrast would make the answer surer."


class Fitted(NamedTuple):
    """`image`: uint8 (28, 28), white ink on black. `box`: of the digit, in pixels of the picture that was fitted."""

    image: Grey
    box: Box
    inverted: bool
    warnings: tuple[str, ...]


class _Look(NamedTuple):
    """The ink and the digit in a part of a picture, and the digit's `box` in pixels of the whole.

    `ruled`: the ink stood on ruling that is weaker than it is.
    """

    ink: Ink
    digit: Digit
    box: Box
    ruled: bool


def fit(grey: Grey) -> Fitted:
    """Finds the digit in `grey`, uint8 (height, width), and prepares it as MNIST's were.

    Raises: BlankPicture.
    """
    part, sheet = on_sheet(grey)
    found = _found(part)
    found = _moved(_on_the_panel(part, found) or _in_the_shadow(part, found) or found, sheet[0], sheet[1])
    if part is not grey:
        found = _beyond_the_sheet(grey, sheet, found)
    image = as_mnist(*filled(found.ink, found.digit))
    if image is None:
        raise BlankPicture()
    return Fitted(image, found.box, found.ink.inverted, _warnings(found.ink, found.digit))


def _moved(look: _Look, left: int, top: int) -> _Look:
    x0, y0, x1, y1 = look.box
    return look._replace(box=(left + x0, top + y0, left + x1, top + y1))


def _on_the_panel(grey: Grey, found: _Look) -> _Look | None:
    """The digit on it, where what was found is a panel: light on a dark one, dark on a light one, and as plain."""
    panel = panel_of(grey, found.digit, found.box, found.ink.inverted)
    if panel is None:
        return None
    try:
        look = _found(panel)
    except BlankPicture:
        return None
    if look.ink.inverted == found.ink.inverted or look.ink.level < AS_PLAIN * found.ink.level:
        return None
    return _moved(look, found.box[0], found.box[1])


def _in_the_shadow(grey: Grey, found: _Look) -> _Look | None:
    """The digit in it or beside it, where what was found is a blot, as the shadow of a hand is."""
    if not _is_blot(found.digit):
        return None
    look = _in_any_light(grey)
    if look is None or look.ink.inverted != found.ink.inverted or look.ink.level < STRONGER * found.ink.level:
        return None
    return look


def _beyond_the_sheet(grey: Grey, sheet: Box, found: _Look) -> _Look:
    """More of the digit, where the edge of the sheet goes through it: it may be a shadow's, or the pen slipped off."""
    look = _in_any_light(grey)
    if look is None or look.ink.inverted != found.ink.inverted:
        return found
    is_more = MORE * _area(found.box) < _area(look.box) < EDGES * _area(sheet)
    return look if is_more and _shared(look.box, found.box) > HELD * _area(found.box) else found


def _area(box: Box) -> int:
    return max(0, box[2] - box[0]) * max(0, box[3] - box[1])


def _shared(one: Box, other: Box) -> int:
    """The area that two boxes have in common."""
    return _area((max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])))


def _found(grey: Grey) -> _Look:
    """The digit of a whole picture.

    What touches the border may be a shadow, and faint ink a bright spot that goes on around the digit. So both are
    looked at again, with other eyes: a digit that these find whole, plain and of stronger ink is the better answer.
    A digit that is cut off indeed has the same ink in their sight.
    """
    first = _closely(grey, find_ink)
    least = STRONGER * first.ink.level
    if not _is_doubtful(first) or least > WHITE:
        return first
    second = _in_any_light(grey)
    return first if second is None or second.ink.level < least else second


def _in_any_light(grey: Grey) -> _Look | None:
    """The digit by the paper right beside its ink, if that finds one that isn't doubtful, too."""
    try:
        look = _closely(grey, lambda work: strongest_ink(work, STROKE * max(work.shape)))
    except BlankPicture:
        return None
    return None if _is_doubtful(look) else look


def _is_doubtful(look: _Look) -> bool:
    return look.digit.cut or look.ink.level < LOW_CONTRAST


def _is_blot(digit: Digit) -> bool:
    """Whether it is thicker than any stroke."""
    left, top, right, bottom = digit.box
    mask = digit.mask[top:bottom, left:right]
    if cv2.countNonZero(mask) < FILLED * mask.size:
        return False
    return thickest(mask) > THICK * max(mask.shape)


def _closely(grey: Grey, find: Callable[[Grey], Ink]) -> _Look:
    """The digit of a picture, from near if it is small there."""
    found = _look(grey, (0, 0, grey.shape[1], grey.shape[0]), find)
    left, top, right, bottom = found.box
    size = max(right - left, bottom - top)
    if size >= SMALL_DIGIT * max(grey.shape):
        return found
    margin = round(MARGIN * size)
    part = max(0, left - margin), max(0, top - margin), right + margin, bottom + margin
    guide, ink = (_part_of(mask, grey.shape, part) for mask in (found.digit.mask, found.ink.mask))
    if found.ruled or cv2.countNonZero(ink) > cv2.countNonZero(guide):  # seen from near, what else is there isn't whole
        near = _look(grey, part, lambda work: beside(guide, find(work)))
    else:
        near = _look(grey, part, find)
    return near._replace(digit=near.digit._replace(several=found.digit.several, cut=found.digit.cut))


def _part_of(mask: Grey, shape: tuple[int, ...], part: Box) -> Grey:
    """The `part`, in pixels of a picture of `shape`, of a `mask` of that picture in another size."""
    down, across = mask.shape[0] / shape[0], mask.shape[1] / shape[1]
    left, top, right, bottom = part
    return mask[int(top * down) : ceil(bottom * down), int(left * across) : ceil(right * across)]


def _look(grey: Grey, part: Box, find: Callable[[Grey], Ink]) -> _Look:
    left, top, right, bottom = part
    seen = grey[top:bottom, left:right]
    work = _work(seen)
    plain = find(work)
    ink = above_ruling(plain)
    digit = find_digit(ink) if ink.level >= BLANK_LEVEL else None
    if digit is None:
        raise BlankPicture()
    return _Look(ink, digit, _scaled(digit.box, work, seen, left, top), ruled=ink is not plain)


def _scaled(box: Box, work: Grey, seen: Grey, left: int, top: int) -> Box:
    """A box in pixels of `work` as one in pixels of `seen`, moved by `left` and `top`."""
    height, width = seen.shape
    across, down = width / work.shape[1], height / work.shape[0]
    x0, y0, x1, y1 = box
    right, bottom = min(width, ceil(x1 * across)), min(height, ceil(y1 * down))
    return left + int(x0 * across), top + int(y0 * down), left + right, top + bottom


def _work(grey: Grey) -> Grey:
    if max(grey.shape) > TINY:
        return shrink(grey, WORK)
    return cv2.resize(grey, None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_CUBIC)


def _warnings(ink: Ink, digit: Digit) -> tuple[str, ...]:
    found = ((TOUCHES, digit.cut), (SEVERAL, digit.several), (FAINT, ink.level < LOW_CONTRAST))
    return tuple(text for text, applies in found if applies)
