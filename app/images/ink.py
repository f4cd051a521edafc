"""Where ink is in a picture, and how much of it: light, shadow and paper taken away."""

from typing import NamedTuple

import numpy as np

from app.images.normalize import Grey
from app.images.opencv import cv2
from app.images.paper import find_paper
from app.images.pixels import Floats, quantile, shrink

SAMPLE = 7  # every so many pixels are enough to know the paper by
MOST_SAMPLED = 100_000  # of them; all of six million would take 60 ms
THUMBNAIL = 64  # pixels of the longer side on which shadows are looked for
WIDEST_STROKE = 0.3  # of the longer side: what is narrower, and sticks out, is no shadow
DARKEST_PAPER = 32.0  # grey levels: on darker paper, dark ink isn't scaled up further
FULL_STROKE = 0.4  # this share of the ink's pixels is no stronger than what counts as a full stroke
MASK_FROM = 0.35  # of a full stroke: from here on a pixel is ink


class Ink(NamedTuple):
    """`strength`: uint8 (height, width), how much a pixel differs from its paper, in grey levels on white paper.

    `level`: the strength of a full stroke. `inverted`: dark on light.
    """

    strength: Grey
    level: float
    inverted: bool

    @property
    def mask(self) -> Grey:
        """uint8 (height, width): 255 where there is ink, else 0."""
        return cv2.threshold(self.strength, MASK_FROM * self.level, 255, cv2.THRESH_BINARY)[1]


def find_ink(grey: Grey) -> Ink:
    """The ink in `grey`, uint8 (height, width) of at most some hundred pixels a side."""
    paper = find_paper(grey)
    size = grey.shape[1], grey.shape[0]
    surface = cv2.resize(paper.surface, size, interpolation=cv2.INTER_LINEAR)
    off = grey - surface if paper.dark else surface - grey
    shadows = _shadows(off)
    off -= shadows
    if not paper.dark:  # ink takes away a share of the light: in shadow that is fewer grey levels
        off *= 255 / np.maximum(surface - shadows, DARKEST_PAPER)
    return measured(off, not paper.dark)


def _shadows(off: Floats) -> Floats:
    """What lies beside the paper's surface but is wider than a stroke: a morphological opening, smoothed."""
    small = shrink(off, THUMBNAIL)
    width = int(WIDEST_STROKE * max(small.shape)) | 1
    small = cv2.blur(small, (3, 3))
    opened = cv2.morphologyEx(small, cv2.MORPH_OPEN, np.ones((width, width), np.uint8))
    shadows: Floats = cv2.resize(cv2.blur(opened, (5, 5)), off.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return shadows


def measured(off: Floats, inverted: bool) -> Ink:
    """The ink in `off`, float32 (height, width): by how many grey levels each pixel is off its paper, on ink's side."""
    zero = quantile(off.reshape(-1)[:: max(SAMPLE, off.size // MOST_SAMPLED)], 0.5)
    zero = min(zero, 0.4 * float(off.max()))  # where ink covers half of the picture, the median is in the ink
    off = off - zero
    strength = np.clip(off, 0, 255, out=off).astype(np.uint8)
    threshold, _ = cv2.threshold(strength, 0, 255, cv2.THRESH_OTSU)
    return Ink(strength, full_stroke(strength, int(threshold)), inverted)


def full_stroke(strength: Grey, threshold: int) -> float:
    """The level that FULL_STROKE of the pixels above `threshold` are below; 0 if there are none."""
    stronger = cv2.calcHist([strength], [0], None, [256], [0, 256])[threshold + 1 :].cumsum(dtype=np.float64)
    if not len(stronger) or not stronger[-1]:
        return 0.0
    return float(threshold + 1 + np.searchsorted(stronger, int(FULL_STROKE * stronger[-1]), side="right"))
