"""The ink of many digits, seen so close that each is about as tall as is good for reading it."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.errors import BlankPicture
from app.images.boxed import without_boxes
from app.images.fit import BLANK_LEVEL
from app.images.flat import flat_ink
from app.images.ink import Ink
from app.images.normalize import Grey
from app.images.opencv import cv2
from app.images.parts import without_lines
from app.images.pixels import zoomed
from app.images.rows import Boxes, usual_height
from app.images.ruled import without_ruling

OVERVIEW_PIXELS = 1_000_000  # of the picture in which the digits' height is looked for
DIGIT_HEIGHT = 48  # pixels that a usual digit is brought to: MNIST's 20 come out of it as they went in
MOST_PIXELS = 6_000_000  # of a picture brought to that size
LOOKS = 3  # at most, each with the paper seen closer
NEAR_ENOUGH = 0.3  # of the natural logarithm of the height: no other look for less

STROKE_OF_PICTURE = 0.3  # of its shorter side: strokes are narrower, as long as the digits' height isn't known
STROKE_OF_DIGIT = 0.6  # of its height: strokes and blobs are narrower, papers and shadows wider

MASK_FROM = 0.45  # of a full stroke: from here on a pixel is ink; with 0.35 more digits touch, with 0.5 more break
SPECK = 0.008  # of the square of a digit's height: a piece with fewer pixels is none
MOST_FRAMED = 2000  # pieces among which frames are looked for: it takes the square of their number
WITHIN = 0.3  # of a piece's height: a piece as tall as that, wholly within its box, makes it a frame


class CloseUp(NamedTuple):
    """`ink`: of the picture at `zoom` times its size. `height`: of a usual digit there. `inverted`: dark on light.

    `labels`: int32 (height, width), the number of the piece of ink at each pixel, 0 for none. `boxes`: int32 (N, 4),
    left, top, right, bottom of pieces 1, 2, ... `pixels`: int32 (N,), their ink.
    """

    ink: Ink
    height: float
    zoom: float
    inverted: bool
    labels: NDArray[np.int32]
    boxes: Boxes


class Components(NamedTuple):
    """Connected ink: int32 `labels` (height, width), and OpenCV's `stats` (N, 5): left, top, width, height, pixels."""

    labels: NDArray[np.int32]
    stats: NDArray[np.int32]


def look_close(grey: Grey, dark: bool) -> CloseUp:
    """Finds how tall the digits in `grey`, uint8 (height, width), are, and their ink at a size that suits them.

    `dark`: the paper is darker than its ink.

    Raises: BlankPicture.
    """
    zoom = min(1.0, (OVERVIEW_PIXELS / grey.size) ** 0.5)
    ink = _ink(zoomed(grey, zoom), dark, STROKE_OF_PICTURE * min(grey.shape) * zoom)
    height = _height(_components(without_lines(_mask(ink))))
    closest = (MOST_PIXELS / grey.size) ** 0.5
    for _ in range(LOOKS):
        closer = min(DIGIT_HEIGHT / height * zoom, closest)
        height, zoom = height * closer / zoom, closer
        ink = _ink(zoomed(grey, zoom), dark, STROKE_OF_DIGIT * height)
        found = _components(without_ruling(without_boxes(_mask(ink), height), height))
        height = _height(found)
        if zoom == closest or abs(math.log(height / DIGIT_HEIGHT)) < NEAR_ENOUGH:
            break
    labels, boxes = _numbered(found, height)
    return CloseUp(ink, height, zoom, not dark, labels, boxes)


def _ink(grey: Grey, dark: bool, widest: float) -> Ink:
    ink = flat_ink(grey, dark, widest)
    if ink.level < BLANK_LEVEL:
        raise BlankPicture()
    return ink


def _mask(ink: Ink) -> Grey:
    return cv2.threshold(ink.strength, MASK_FROM * ink.level, 255, cv2.THRESH_BINARY)[1]


def _components(mask: Grey) -> Components:
    return Components(*cv2.connectedComponentsWithStats(mask, connectivity=8)[1:3])


def _height(found: Components) -> float:
    kept, boxes = _pieces(found.stats, 0)
    if not kept.any():
        raise BlankPicture()
    return usual_height(boxes[kept], found.stats[kept, 4])


def _numbered(found: Components, height: float) -> tuple[NDArray[np.int32], Boxes]:
    """The pieces of ink, 1, 2, ..., and their boxes."""
    kept, boxes = _pieces(found.stats, height)
    numbers = np.zeros(len(found.stats), np.int32)
    numbers[kept] = np.arange(1, kept.sum() + 1)
    return numbers[found.labels], boxes[kept]


def _pieces(stats: NDArray[np.int32], height: float) -> tuple[NDArray[np.bool_], Boxes]:
    """Which components are ink: no frames, and no specks as digits of this `height` go; and the boxes of all."""
    boxes = np.stack([stats[:, 0], stats[:, 1], stats[:, 0] + stats[:, 2], stats[:, 1] + stats[:, 3]], axis=1)
    kept = stats[:, 4] >= SPECK * height**2
    kept[0] = False
    if kept.sum() <= MOST_FRAMED:
        kept[kept] = ~_frames(boxes[kept])
    return kept, boxes


def _frames(boxes: Boxes) -> NDArray[np.bool_]:
    """Which of `boxes` have another one in them that is no mere speck."""
    heights = boxes[:, 3] - boxes[:, 1]
    frames = np.zeros(len(boxes), bool)
    for left, top, right, bottom in boxes:
        holds = (boxes[:, :2] < (left, top)).all(axis=1) & (boxes[:, 2:] > (right, bottom)).all(axis=1)
        frames |= holds & (bottom - top >= WITHIN * heights)
    return frames
