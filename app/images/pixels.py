"""Arrays of pixels: their types, and what several steps do to them."""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.images.normalize import Grey
from app.images.opencv import cv2

Floats = NDArray[np.float32]
Pixels = TypeVar("Pixels", Grey, Floats)


def shrink(pixels: Pixels, longest: int) -> Pixels:
    """`pixels` (height, width), reduced to at most `longest` pixels a side.

    By halves first and linearly for the rest: 1000x750 to 128x96 takes 35 µs, and 730 by averaging areas at once.
    """
    while max(pixels.shape) >= 2 * longest and min(pixels.shape) > 1:
        height, width = pixels.shape[0] // 2, pixels.shape[1] // 2
        pixels = cv2.resize(pixels[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)
    scale = longest / max(pixels.shape)
    if scale >= 1:
        return pixels
    size = max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))
    reduced: Pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR)
    return reduced


def zoomed(grey: Grey, zoom: float) -> Grey:
    """`grey`, uint8 (height, width), at `zoom` times its size."""
    if zoom == 1:
        return grey
    size = max(1, round(grey.shape[1] * zoom)), max(1, round(grey.shape[0] * zoom))
    return cv2.resize(grey, size, interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC)


def thickest(mask: Grey) -> float:
    """Twice the way, in pixels, from the innermost pixel of `mask`, uint8 (height, width), to the edge of what is set.

    Beyond its sides nothing is set.
    """
    framed = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    return float(2 * cv2.minMaxLoc(cv2.distanceTransform(framed, cv2.DIST_L2, 3))[1])


def outline_of(mask: Grey) -> NDArray[np.int32]:
    """The outline of the largest part of `mask`, uint8 (height, width), where something is set: int32 (N, 1, 2)."""
    outlines = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    largest: NDArray[np.int32] = max(outlines, key=cv2.contourArea)
    return largest


def median(values: NDArray[Any]) -> float:
    """The median of `values` (n,), n >= 1. A third of the time that NumPy's own takes for some hundred of them."""
    ordered, half = np.sort(values), len(values) // 2
    return float(ordered[half] + ordered[-1 - half]) / 2


def quantile(values: NDArray[Any], share: float) -> float:
    """The value, of `values` (n,), n >= 1, that `share` of them lie below. Several times as fast as NumPy's own."""
    at = min(int(share * len(values)), len(values) - 1)
    return float(np.partition(values, at)[at])
