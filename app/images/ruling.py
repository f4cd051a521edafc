"""Ruling that is weaker than the strokes on it, pencil on squared paper say, taken for paper by its strength."""

import numpy as np

from app.images.ink import Ink, full_stroke
from app.images.normalize import Grey
from app.images.opencv import cv2

SPANS = 0.9  # of the picture: ink that reaches as far across or down may be ruling
STRONGER = 1.5  # times as strong as the ruling are strokes, in the mean
FEWEST = 0.002  # of the picture's pixels: fewer strong ones are specks
AROUND = 0.5  # of all ink's pixels: so many are ruling around the box of the strokes; a digit's soft edges are in it
THICK = 0.06  # of the picture: ruling is thinner, and shadows are thicker
MOST_THICK = 0.1  # of all ink's pixels


def above_ruling(ink: Ink) -> Ink:
    """What of `ink` is stronger than its ruling; `ink` as it is where it has none, which is told at a glance."""
    mask = ink.mask
    _, _, across, down = cv2.boundingRect(mask)
    height, width = mask.shape
    if across < SPANS * width and down < SPANS * height:
        return ink
    inked = ink.strength[mask > 0]
    threshold = cv2.threshold(inked, 0, 255, cv2.THRESH_OTSU)[0]
    weak, strong = inked[inked <= threshold], inked[inked > threshold]
    if min(len(strong), len(weak)) < FEWEST * mask.size or strong.mean() < STRONGER * weak.mean():
        return ink
    left, top, across, down = cv2.boundingRect(cv2.compare(ink.strength, threshold, cv2.CMP_GT))
    if cv2.countNonZero(mask[top : top + down, left : left + across]) > (1 - AROUND) * len(inked):
        return ink
    thick = np.ones((int(THICK * max(width, height)) | 1,) * 2, np.uint8)
    if cv2.countNonZero(cv2.erode(mask, thick)) > MOST_THICK * len(inked):
        return ink
    strength = cv2.subtract(ink.strength, float(weak.mean()))
    return Ink(strength, full_stroke(strength, int(threshold - weak.mean())), ink.inverted)


def beside(guide: Grey, ink: Ink) -> Ink:
    """What of `ink` is beside the digit in `guide`, uint8 (height, width), 255 or 0: the same part, seen from afar.

    From near, thin lines are as strong as strokes.
    """
    near = cv2.dilate(guide, np.ones((3, 3), np.uint8))
    near = cv2.resize(near, ink.strength.shape[::-1], interpolation=cv2.INTER_NEAREST)
    return ink._replace(strength=cv2.bitwise_and(ink.strength, near))
