"""Whether what is taken for digits is the ink of a picture, or its paper: what is between strokes, or a dark window."""

import numpy as np

from app.images.groups import Group
from app.images.normalize import Grey
from app.images.opencv import cv2

BEYOND = 0.4  # of a digit's height: so far above and below it is looked at
# As bright as ink is so much there, in the mean: 0.3 at most around 300 rows of digits, and around what was between
# their strokes, where that looked like digits, 0.7 or more. Around digits in a meter's windows it was 0.32 at most in
# 18 of 20; two whose digits filled their windows had more.
MOST_AROUND = 0.35
SOLID = 0.62  # of their boxes, in the mean: digits fill less, unless they are heavy type, and windows fill 0.65 to 0.9


def is_ink(sheet: Grey, digits: list[Group], dark: bool) -> bool:
    """Whether `digits`, found in `sheet` on paper that is `dark` or not, may well be its ink."""
    return bool(digits and np.mean([digit.filled for digit in digits]) < SOLID and is_on_paper(sheet, digits, dark))


def is_on_paper(sheet: Grey, digits: list[Group], dark: bool) -> bool:
    """Whether there is paper above and below `digits`, as between their strokes."""
    around = [share for digit in digits if (share := _inked_around(sheet, digit, dark)) is not None]
    return bool(around) and sum(around) / len(around) < MOST_AROUND


def _inked_around(sheet: Grey, digit: Group, dark: bool) -> float | None:
    """How much of what is right above and below a digit is as bright as it; None where nothing is."""
    left, top, right, bottom = digit.box
    beyond = max(2, round(BEYOND * (bottom - top)))
    above = min(top, beyond)
    part = sheet[top - above : bottom + beyond, left:right]
    threshold, _ = cv2.threshold(part, 0, 255, cv2.THRESH_OTSU)
    inked = (part > threshold) == dark
    around = np.concatenate([inked[:above], inked[above + bottom - top :]])
    return float(around.mean()) if around.size else None
