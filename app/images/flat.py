"""Ink told by the paper right beside it: as well in a shadow as in the light, and across the edge between them."""

import numpy as np

from app.images.ink import Ink, measured
from app.images.normalize import Grey
from app.images.opencv import cv2
from app.images.pixels import Floats, zoomed

FINE = 12  # pixels that the widest stroke is reduced to, to look for the paper beside it
DARKEST_PAPER = 64.0  # grey levels: on darker paper, dark ink isn't scaled up further


def flat_ink(grey: Grey, dark: bool, widest: float) -> Ink:
    """The ink of `grey`, uint8 (height, width), with all that is wider than `widest` pixels taken for its paper.

    `dark`: the paper is darker than its ink.
    """
    light = 255 - grey if dark else grey
    paper = _without_strokes(light, widest)
    off = paper - light
    if not dark:  # ink takes away a share of the light
        off *= 255 / np.maximum(paper, DARKEST_PAPER)
    return measured(cv2.GaussianBlur(off, (3, 3), 0), not dark)


def strongest_ink(grey: Grey, widest: float) -> Ink:
    """The dark ink of `grey`, or the light: the one that stands out more.

    Of light paper, the part within a loop stands out as light ink does; but not as much as its ink, in all.
    """
    return max((flat_ink(grey, dark, widest) for dark in (False, True)), key=_prominence)


def _prominence(ink: Ink) -> float:
    """By the cube, so that much paper that is a little off doesn't outweigh a stroke."""
    return float((ink.strength.astype(np.float32) ** 3).sum())


def _without_strokes(light: Grey, widest: float) -> Floats:
    """A morphological closing of the reduced picture, smoothed."""
    reduction = max(1.0, widest / FINE)
    small = cv2.medianBlur(zoomed(light, 1 / reduction), 3)
    side = int(widest / reduction) | 1
    closed = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))
    size = light.shape[1], light.shape[0]
    paper: Floats = cv2.resize(cv2.blur(closed, (3, 3)), size, interpolation=cv2.INTER_LINEAR).astype(np.float32)
    return paper
