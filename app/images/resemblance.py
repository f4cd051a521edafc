"""Whether a picture is what MNIST would have made of it already (`app.images.mnist` says how it made them)."""

import numpy as np
from numpy.typing import NDArray

from app.images.canvas import Canvas
from app.images.normalize import PIXELS, SIDE, Grey

LONGEST = 20  # pixels: a digit's longer side
MIDDLE = 14  # where centres of mass are, counted from the middle of the first pixel, in MNIST's pictures
ROUNDED = 0.55  # a centre of mass is off the middle by at most half a pixel, as digits stand on whole ones
_from_middle = np.arange(SIDE) - MIDDLE
# Times a picture's pixels: its mass, and the moments about the middle. Whole numbers below 2**24, exact in float32.
MOMENTS: NDArray[np.float32] = np.stack(
    [np.ones(PIXELS), np.tile(_from_middle, SIDE), np.repeat(_from_middle, SIDE)]
).astype("f4")
_canvas = Canvas()


def looks_like_mnist(image: Grey) -> bool:
    """Whether `image`, uint8 (height, width), is what MNIST would have made of it already.

    So it is for each of MNIST's 70,000: white on black, its longer side 20 pixels (19 in 16 of them), its centre of
    mass in the middle. Takes 3.3 µs, and 2.5 with OpenCV's bounding box, which nothing else here needs.
    """
    if image.shape != (SIDE, SIDE):
        return False
    _canvas.pixels[:] = image
    box = _canvas.image.getbbox()
    if box is None or not LONGEST - 1 <= max(box[2] - box[0], box[3] - box[1]) <= LONGEST:
        return False
    mass, right, down = MOMENTS.dot(image.reshape(PIXELS).astype(np.float32)).tolist()
    most = ROUNDED * mass
    return abs(right) <= most and abs(down) <= most
