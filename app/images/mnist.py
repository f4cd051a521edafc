"""How MNIST's pictures were made (LeCun, Bottou, Bengio, Haffner 1998, section III.A).

NIST's black and white digits were scaled to fit 20x20 pixels, keeping their proportions and averaging areas, and put
into 28x28 such that their centre of mass is in the middle.
"""

import numpy as np

from app.images.ink import Ink
from app.images.normalize import SIDE, Grey
from app.images.opencv import cv2
from app.images.parts import Digit
from app.images.pixels import Floats, median, quantile
from app.images.resemblance import LONGEST, MIDDLE

FINE = 4  # times finer than the result is the canvas on which strokes are measured and mended
THINNEST, THICKEST = 2.4, 3.2  # pixels of the result: strokes as most of MNIST's are
HAIRLINE = 0.2  # of all places along the strokes: where they are thinnest, a bold serif's hairlines say
MOST_ERODED = 16  # pixels of the fine canvas: what is thicker than that is a blot, and would take 25 ms
EDGE = 12  # pixels of the fine canvas around the digit, for strokes to grow into
FAINT, FULL = 0.15, 0.8  # of a full stroke: from none to all of the ink
SHARPER = 1.5  # times as steep are edges made on the fine canvas: NIST's digits were black and white there
# Slants, as x per y from the mean (x to the right, y down), that four in five of MNIST's digits lie between.
LEFTMOST, RIGHTMOST = -0.45, 0.15
NEAR = np.ones((3, 3), np.uint8)


def as_mnist(ink: Ink, digit: Digit) -> Grey | None:
    """What MNIST would have made of `digit`: uint8 (28, 28), white on black; None where nothing is left of it."""
    fine = _on_fine_canvas(ink, digit)
    if fine.max() <= 0.5:
        return None
    fine = _with_usual_strokes(_upright(fine))
    left, top, width, height = cv2.boundingRect((fine > 0.5).astype(np.uint8))
    if not width:
        return None
    scale = LONGEST / max(width, height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(fine[top : top + height, left : left + width], size, interpolation=cv2.INTER_AREA)
    return _centred(small)


def _on_fine_canvas(ink: Ink, digit: Digit) -> Floats:
    left, top, right, bottom = digit.box
    rows, columns = slice(max(0, top - 3), bottom + 3), slice(max(0, left - 3), right + 3)
    soft = (ink.strength[rows, columns] / np.float32(ink.level) - FAINT) / (FULL - FAINT)
    soft = np.clip(soft, 0, 1) * (cv2.dilate(digit.mask[rows, columns], NEAR) > 0)
    scale = LONGEST * FINE / max(right - left, bottom - top)
    size = max(1, round(soft.shape[1] * scale)), max(1, round(soft.shape[0] * scale))
    fine = cv2.resize(soft, size, interpolation=cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR)
    fine = np.clip((fine - 0.5) * SHARPER + 0.5, 0, 1)
    return cv2.copyMakeBorder(fine, EDGE, EDGE, EDGE, EDGE, cv2.BORDER_CONSTANT)


def _upright(fine: Floats) -> Floats:
    """A digit that slants more than MNIST's do, sheared until it slants as the most slanted of them."""
    moments = cv2.moments(fine)
    slant = moments["mu11"] / (moments["mu02"] + 1e-9)
    shear = min(max(slant, LEFTMOST), RIGHTMOST) - slant
    if not shear:
        return fine
    height, width = fine.shape
    room = int(abs(shear) * height / 2) + 2
    middle = moments["m01"] / moments["m00"]
    turn = np.array([[1, shear, room - shear * middle], [0, 1, 0]], np.float32)
    return cv2.warpAffine(fine, turn, (width + 2 * room, height), flags=cv2.INTER_LINEAR)


def _with_usual_strokes(fine: Floats) -> Floats:
    """Thin strokes made thicker, and thick ones thinner, until they are as MNIST's."""
    change = _missing(_stroke_widths(fine) / np.float32(FINE))
    if not change:
        return fine
    pen = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (abs(change) + 1, abs(change) + 1))
    return cv2.dilate(fine, pen) if change > 0 else cv2.erode(fine, pen)


def _missing(widths: Floats) -> int:
    """By how many pixels of the fine canvas strokes of such `widths`, in those of the result, are too thin.

    Less than 0 where they are too thick, but no more than the thinnest of them can bear: else one in seven digits of
    bold serif fonts is misread, its hairlines gone, and so one in 18.
    """
    typical = median(widths)
    change = round((min(max(typical, THINNEST), THICKEST) - typical) * FINE)
    if change >= 0:
        return change
    bearable = min(0, round((THINNEST - quantile(widths, HAIRLINE)) * FINE))
    return max(change, bearable, -MOST_ERODED)


def _stroke_widths(fine: Floats) -> Floats:
    """Twice the distances from the middle of the strokes to their edges, in pixels, at all places along them."""
    distances = cv2.distanceTransform((fine > 0.5).astype(np.uint8), cv2.DIST_L2, 3)
    middle = (distances == cv2.dilate(distances, NEAR)) & (distances > 0)
    return 2 * distances[middle] if middle.any() else np.ones(1, np.float32)


def _centred(small: Floats) -> Grey:
    pixels = np.rint(small * 255).astype(np.uint8)
    moments = cv2.moments(pixels)
    height, width = pixels.shape
    left = round(MIDDLE - moments["m10"] / moments["m00"])
    top = round(MIDDLE - moments["m01"] / moments["m00"])
    left, top = min(max(left, 0), SIDE - width), min(max(top, 0), SIDE - height)
    image = np.zeros((SIDE, SIDE), np.uint8)
    image[top : top + height, left : left + width] = pixels
    return image
