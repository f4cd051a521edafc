"""By how much lines of digits climb or fall, and the picture turned until they are level."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.images.box import Box
from app.images.normalize import Grey
from app.images.opencv import cv2
from app.images.pixels import shrink
from app.images.rows import TALL, Boxes

STEEPEST = 45  # degrees that are tried either way: beyond, a picture is rather turned by a quarter
LEVEL = 8  # degrees: what climbs by less is read as well as it is
FEWEST = 3  # pieces that tell a tilt: a line goes through any two
BINS = 4  # to a digit's height, in which middles of digits are counted
GAIN = 1.4  # times as sharply as now they fall into lines, of tilted ones; of 150 level pictures none had so much
AS_SHARP = 0.97  # of the sharpest: the tilt is the mean of the angles with as much
THUMBNAIL, STROKE = 64, 9  # pixels of the longer side on which the paper is seen, and of what is no stroke there

ANGLES: NDArray[np.float64] = np.radians(np.arange(-STEEPEST, STEEPEST + 1))


class Turned(NamedTuple):
    """`grey`: uint8 (height, width), the picture turned. `back`: float (2, 3), from its pixels to the picture's own.

    `size`: the width and height of that picture.
    """

    grey: Grey
    back: NDArray[np.float64]
    size: tuple[int, int]

    def box_before(self, box: Box) -> Box:
        """The box of a digit as it was before: of the ellipse in its own box, for the corners of that are empty."""
        left, top, right, bottom = box
        x, y = self.back @ ((left + right) / 2, (top + bottom) / 2, 1)
        across, down = np.hypot(*(self.back[:, :2] * ((right - left) / 2, (bottom - top) / 2)).T)
        width, height = self.size
        return (
            max(0, round(x - across)),
            max(0, round(y - down)),
            min(width, round(x + across)),
            min(height, round(y + down)),
        )


def tilt_of(boxes: Boxes) -> int:
    """By how many degrees the lines that pieces of ink stand in climb, below 0 if they fall; 0 if they are near level.

    The angle at which the middles of the pieces, seen along it, fall into the fewest places (Postl 1986).
    """
    heights = boxes[:, 3] - boxes[:, 1]
    height = float(np.median(heights)) if len(boxes) else 0.0
    tall = boxes[heights >= TALL * height]
    if len(tall) < FEWEST or not height:
        return 0
    sharpness = _sharpness((tall[:, :2] + tall[:, 2:]) / (2 * height))
    if sharpness.max() < GAIN * sharpness[STEEPEST]:
        return 0
    sharp = np.flatnonzero(sharpness >= AS_SHARP * sharpness.max())
    degrees = round(float(sharp.mean())) - STEEPEST
    return degrees if abs(degrees) >= LEVEL else 0


def _sharpness(middles: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each of ANGLES, the sum of the squares of how many `middles`, (N, 2) in digits' heights, are at each height.

    Half of each counts for the heights just above and below.
    """
    heights = np.cos(ANGLES)[:, np.newaxis] * middles[:, 1] + np.sin(ANGLES)[:, np.newaxis] * middles[:, 0]
    places = (BINS * (heights - heights.min())).astype(np.int64) + 1
    width = int(places.max()) + 2
    places += width * np.arange(len(ANGLES))[:, np.newaxis]
    counts = np.bincount(places.ravel(), minlength=width * len(ANGLES)).reshape(len(ANGLES), width)
    smooth = counts[:, 1:-1] + (counts[:, :-2] + counts[:, 2:]) / 2
    sharpness: NDArray[np.float64] = (smooth**2).sum(axis=1)
    return sharpness


def turned(grey: Grey, degrees: float) -> Turned:
    """`grey`, uint8 (height, width), with what climbs by `degrees` made level, and room for all of it."""
    height, width = grey.shape
    cosine, sine = math.cos(math.radians(degrees)), abs(math.sin(math.radians(degrees)))
    size = math.ceil(width * cosine + height * sine), math.ceil(width * sine + height * cosine)
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1)
    turn[:, 2] += (size[0] - width) / 2, (size[1] - height) / 2
    level = cv2.warpAffine(_paper(grey), turn, size, borderMode=cv2.BORDER_REPLICATE)
    cv2.warpAffine(grey, turn, size, dst=level, borderMode=cv2.BORDER_TRANSPARENT)
    return Turned(level, cv2.invertAffineTransform(turn), (width, height))


def _paper(grey: Grey) -> Grey:
    """`grey` without strokes: what goes on beyond its border is the paper, and no ink that touches it."""
    plain = cv2.medianBlur(shrink(grey, THUMBNAIL), STROKE)
    return cv2.resize(plain, grey.shape[::-1], interpolation=cv2.INTER_LINEAR)
