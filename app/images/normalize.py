"""The one preparation that training and serving share."""

import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
SIDE = 28  # pixels: MNIST's pictures are 28 x 28
PIXELS = SIDE * SIDE
WHITE = np.float32(255)


def normalize(images: Grey) -> NDArray[np.float32]:
    """Turns grey pictures into what the network reads: float32 in 0..1, a row of 784 for each picture.

    `images` is uint8 (..., 28, 28), white ink (255) on black (0); the answer is float32 (..., 784).
    It is the notebook's own preparation: reshape, astype("float32"), divided by 255.
    """
    rows = images.reshape(*images.shape[:-2], PIXELS)
    return rows.astype(np.float32) / WHITE
