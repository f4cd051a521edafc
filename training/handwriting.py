"""Digits as people write them who were taught elsewhere: drawn stroke by stroke, since MNIST has next to none.

MNIST's writers were all from the United States: employees of the Census Bureau and high-school students. In much of the
world a 1 has a flag and a foot, a 7 is crossed, a 4 is closed at the top, a 2 and a 3 have loops, a 9 ends in a hook.
The forms here are our own, after what school scripts teach; no picture was traced.
"""

import numpy as np
from numpy.typing import NDArray

from app.images.fit import fit
from app.images.normalize import Grey
from app.images.opencv import cv2
from training.dataset import Labelled

# A form: strokes parted by slashes, each smooth through its points "x y", in percent of a box, y downwards. A corner is
# where one stroke ends and the next begins.
FORMS = {
    0: (
        "50 0, 12 30, 20 85, 55 100, 88 65, 80 20, 50 0",  # plain
        "40 4, 10 50, 45 100, 90 50, 55 2, 30 10, 42 20, 75 8",  # with a crossing at the top
    ),
    1: (
        "20 32, 42 18, 60 0 / 60 0, 60 50, 60 100",  # flag
        "20 32, 42 18, 60 0 / 60 0, 60 50, 60 100 / 25 100, 60 100, 95 100",  # flag and foot
        "35 25, 60 0 / 60 0, 55 50, 50 100 / 10 100, 50 100, 90 100",  # short flag and foot
        "5 40, 40 22, 62 0 / 62 0, 60 50, 56 100",  # long flag
        "50 0, 50 50, 50 100 / 15 100, 50 100, 85 100",  # foot alone
    ),
    2: (
        "8 28, 40 0, 82 20, 62 55, 12 93, 6 80, 25 76, 60 95, 98 88",  # loop at the foot
        "22 34, 10 20, 40 0, 85 22, 60 62, 8 100 / 8 100, 50 98, 95 100",  # straight foot
        "30 30, 18 36, 8 20, 40 0, 85 22, 62 60, 10 95 / 10 95, 35 85, 65 98, 98 85",  # curl and wave
        "10 20, 45 0, 80 20, 50 60, 10 100 / 10 100, 90 100",  # plain
    ),
    3: (
        "12 20, 45 0, 82 20, 42 45 / 42 45, 90 68, 50 100, 10 90, 10 74, 28 78",  # hook at the end
        "12 16, 45 0, 85 20, 45 44 / 45 44, 90 64, 60 98, 20 95, 2 78, 20 66, 34 82, 20 95",  # loop at the end
        "10 2, 50 2, 85 2 / 85 2, 40 40 / 40 40, 90 62, 55 100, 8 88",  # flat top
        "25 28, 12 18, 45 0, 80 20, 50 42, 40 50, 50 46, 90 70, 50 100, 10 86",  # loop in the middle
        "15 15, 50 0, 85 22, 42 46 / 42 46, 88 70, 50 100, 12 86",  # plain
    ),
    4: (
        "68 100, 68 50, 68 0 / 68 0, 35 35, 5 66 / 5 66, 50 66, 98 66",  # closed
        "72 100, 70 50, 70 0 / 70 0, 40 25, 10 52 / 10 52, 40 53, 72 54",  # closed, the bar ends at the stem
        "62 0, 35 30, 5 60 / 5 60, 50 58, 95 56 / 66 30, 62 65, 58 100",  # closed, a stem of its own
        "50 0, 25 30, 10 55 / 10 55, 50 53, 90 50 / 50 0, 56 50, 50 100",  # closed, slanting
        "25 0, 16 28, 8 52 / 8 52, 50 50, 95 48 / 78 10, 70 55, 64 100",  # open
    ),
    5: (
        "28 0, 60 2, 92 0 / 28 0, 25 20, 20 44 / 20 44, 60 36, 90 66, 50 100, 8 90",  # plain
        "28 2, 60 2, 90 0 / 28 2, 22 44 / 22 44, 60 38, 86 68, 50 100, 14 94, 10 80, 26 82",  # hook at the end
        "85 0, 50 4, 30 6 / 30 6, 20 42 / 20 42, 65 40, 80 70, 50 96, 5 95",  # slanting
    ),
    6: (
        "72 2, 35 25, 12 65, 40 100, 85 76, 55 50, 16 68",  # plain
        "86 20, 66 2, 28 25, 12 66, 42 100, 84 76, 54 52, 18 72",  # curl at the top
        "60 0, 25 40, 20 75, 50 100, 80 80, 50 58, 25 72",  # narrow
    ),
    7: (
        "6 4, 50 3, 92 2 / 92 2, 62 50, 36 100 / 28 50, 55 50, 86 48",  # crossed
        "4 20, 8 4 / 8 4, 50 4, 94 2 / 94 2, 62 50, 42 100 / 25 52, 55 50, 88 46",  # crossed, serif
        "2 22, 20 2, 50 12, 95 0 / 95 0, 60 50, 40 100 / 26 54, 85 46",  # crossed, wave
        "2 22, 20 2, 50 12, 95 0 / 95 0, 60 50, 40 100",  # wave
        "4 20, 6 4 / 6 4, 92 3 / 92 3, 60 45, 48 100",  # serif
        "15 8, 50 6, 85 4 / 85 4, 72 50, 30 100 / 20 60, 50 42, 95 40",  # crossed aslant
    ),
    8: (
        "80 16, 45 0, 18 22, 50 46, 86 75, 50 100, 14 76, 50 46, 82 20, 70 6",  # one stroke
        "50 0, 16 22, 50 46, 84 22, 50 0 / 50 46, 10 74, 50 100, 90 74, 50 46",  # two rings
    ),
    9: (
        "84 20, 50 0, 12 26, 42 52, 84 22 / 84 20, 80 60, 55 95, 10 92",  # curved tail
        "84 20, 50 0, 12 26, 42 52, 84 22 / 84 20, 86 65, 62 98, 20 100, 8 84",  # hook
        "80 20, 45 2, 12 28, 45 50, 80 22 / 80 20, 80 60, 78 100",  # straight stem
        "30 42, 18 20, 50 0, 82 25, 45 48, 30 42 / 82 22, 75 60, 30 100",  # begun inside
        "80 12, 45 2, 15 26, 45 46, 82 16, 82 55, 60 95, 25 90, 30 70, 60 62, 95 50",  # one stroke, loop at the end
    ),
}
# How often each digit is drawn: more often, the more forms MNIST lacks.
SHARES = np.array([2, 5, 4, 5, 5, 3, 3, 6, 2, 5]) / 40

SHEET = 112  # pixels each way of what is drawn on
SIZE = 76  # pixels of the digit's height
FRACTION_BITS = 4  # OpenCV takes places in sixteenths of a pixel


def write_digits(count: int, random: np.random.Generator) -> Labelled:
    """`count` drawn digits, prepared as any picture is that the service is sent."""
    digits = random.choice(10, count, p=SHARES).astype(np.uint8)
    images = [fit(draw(random.choice(FORMS[digit]), random)).image for digit in digits.tolist()]
    return Labelled(np.stack(images), digits)


def draw(form: str, random: np.random.Generator) -> Grey:
    """`form` by a hand and a pen of its own: narrow or wide, upright or slanting, thin or thick, never quite the same.

    Gives uint8 (112, 112), white on black.
    """
    width = 0.75 * np.exp(random.uniform(-0.35, 0.15))
    slant = random.uniform(-0.3, 0.25)
    unsteady = random.uniform(0.015, 0.05)
    pen = int(random.integers(6, 17))
    strokes = _strokes(form)
    # a point where two strokes meet stays one
    moved = {point: np.array(point) + random.normal(0, unsteady, 2) for stroke in strokes for point in stroke}
    sheet = np.zeros((SHEET, SHEET), np.uint8)
    for stroke in strokes:
        x, y = smooth(np.stack([moved[point] for point in stroke])).T - 0.5
        places = np.stack([x * width - slant * y, y], axis=1) * SIZE + SHEET / 2
        fixed = np.rint(places * 2**FRACTION_BITS).astype(np.int32)
        cv2.polylines(
            sheet, [fixed], isClosed=False, color=255, thickness=pen, lineType=cv2.LINE_AA, shift=FRACTION_BITS
        )
    return sheet


def _strokes(form: str) -> list[list[tuple[float, float]]]:
    strokes = [[point.split() for point in stroke.split(",")] for stroke in form.split("/")]
    return [[(int(x) / 100, int(y) / 100) for x, y in stroke] for stroke in strokes]


def smooth(points: NDArray[np.float64], steps: int = 10) -> NDArray[np.float64]:
    """A Catmull-Rom spline through `points`, (N, 2) → ((N - 1) · `steps` + 1, 2). Two points are a straight line."""
    if len(points) < 3:
        return points
    ends = 2 * points[:1] - points[1:2], 2 * points[-1:] - points[-2:-1]
    all_points = np.concatenate([ends[0], points, ends[1]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, np.newaxis]
    pieces = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(all_points, all_points[1:], all_points[2:], all_points[3:], strict=False)
    ]
    return np.concatenate([*pieces, points[-1:]])
