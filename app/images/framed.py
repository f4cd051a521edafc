"""A digit in a frame: a circle or a box drawn around it, the rim of a plate; whole or in pieces, with screws."""

import numpy as np
from numpy.typing import NDArray

from app.images.components import Parts, around
from app.images.opencv import cv2

FRAMED = (0.35, 0.8)  # of the height of the room in a frame: a digit in it is so tall
TALL = 0.2  # of the height of all ink, of which a frame may have a shadow beside it: so tall is the digit at least
DRAWN = 0.8  # of the room: a drawn frame has less ink, a panel that a digit stands on has more
CONVEX = 0.87  # of its hull: the room is as much, up to the tremble of a hand
# In so many of so many directions from the middle of the digit there is a frame. Of 150 enamel plates, 110 are read if
# only frames in one piece count, with nothing outside that is larger, else 140.
SEEN, DIRECTIONS = 24, 32
CANDIDATES = 3  # parts that may be the digit: a frame may have more ink, and a shadow around both
BESIDE = 0.2  # of the digit's size: what is within so much around its box is no frame
FILLS = 0.7  # of the box of the frame: the room of a frame has more, the loop of an outlined 6 less
SPECK = 0.06  # of the digit's ink: less is a screw


def framed(parts: Parts) -> NDArray[np.bool_] | None:
    """Which of `parts` are in a frame with a digit, bool (N,); None where there is no frame.

    Digits have parts in their boxes, too, where they are broken or outlined; but these leave less room around them, or
    the room is no convex one.
    """
    left, top, right, bottom = around(parts.boxes[1:])
    inner = _within(parts, (left + 1, top + 1, right - 1, bottom - 1))
    inner &= parts.boxes[:, 3] - parts.boxes[:, 1] > TALL * (bottom - top)
    if not inner.any():
        return None
    for digit in (inner * parts.ink).argsort()[: -1 - CANDIDATES : -1].tolist():
        room = _room_around(parts, digit) if inner[digit] else None
        if room is not None:
            x, y, across, down = cv2.boundingRect(room)
            return _within(parts, (x, y, x + across, y + down))
    return None


def _within(parts: Parts, box: tuple[float, float, float, float]) -> NDArray[np.bool_]:
    left, top, right, bottom = box
    within: NDArray[np.bool_] = np.all((parts.boxes - (left, top, right, bottom)) * (1, 1, -1, -1) >= 0, axis=1)
    within[0] = False
    return within


def _room_around(parts: Parts, digit: int) -> NDArray[np.int32] | None:
    """The outline, int32 (N, 1, 2), of the room that a frame leaves around `digit`; None where there is no frame."""
    left, top, right, bottom = parts.boxes[digit].tolist()
    beside = BESIDE * max(right - left, bottom - top)
    frame = parts.ink > SPECK * parts.ink[digit]
    frame &= ~_within(parts, (left - beside, top - beside, right + beside, bottom + beside))
    frame[0] = False
    if not _is_around(parts.boxes[frame], left, top, right, bottom):  # spares most pictures the rest
        return None
    points = cv2.findNonZero(parts.drawn(frame)).reshape(-1, 2) + np.array(parts.corner, np.int32)
    room = _nearest(points, (left + right) / 2, (top + bottom) / 2)
    area = cv2.contourArea(room)
    least, most = FRAMED
    if len(room) < SEEN or not least < (bottom - top) / cv2.boundingRect(room)[3] < most:
        return None
    is_drawn = area > CONVEX * cv2.contourArea(cv2.convexHull(room)) and len(points) < DRAWN * area
    return room if is_drawn and _fills(room, parts) else None


def _fills(room: NDArray[np.int32], parts: Parts) -> bool:
    """Whether the parts around a room hardly go on beyond it, as the outline of a 6 does beyond its loop."""
    across, down = (room[:, 0] - np.array(parts.corner)).T
    left, top, right, bottom = around(parts.boxes[parts.labels[down, across]])
    _, _, width, height = cv2.boundingRect(room)
    return bool(width * height > FILLS * (right - left) * (bottom - top))


def _is_around(boxes: NDArray[np.int32], left: int, top: int, right: int, bottom: int) -> bool:
    """Whether some of `boxes` are further to each side than these edges."""
    if not len(boxes):
        return False
    x0, y0, x1, y1 = around(boxes)
    return bool(x0 < left and y0 < top and x1 > right and y1 > bottom)


def _nearest(points: NDArray[np.int32], x: float, y: float) -> NDArray[np.int32]:
    """Of `points`, int32 (N, 2), the nearest to (x, y) in each direction that has any: int32 (M, 1, 2), clockwise."""
    off = points - np.array([x, y], np.float32)
    directions = ((np.arctan2(off[:, 1], off[:, 0]) + np.pi) * (DIRECTIONS / (2 * np.pi))).astype(np.int32) % DIRECTIONS
    order = (-(off * off).sum(axis=1)).argsort()
    nearest = np.full(DIRECTIONS, -1)
    nearest[directions[order]] = order  # the last one stays
    found: NDArray[np.int32] = points[nearest[nearest >= 0], np.newaxis]
    return found
