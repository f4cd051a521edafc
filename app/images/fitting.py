"""The door to all that needs OpenCV: imported by the first picture that is not 28x28 already, or has several digits.

OpenCV and what stands on it take 16 MB and 40 ms, which a service that is sent digits as MNIST's alone never pays.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from app.images.normalize import Grey

if TYPE_CHECKING:
    from app.images.fit import Fitted
    from app.images.groups import Group, Piece
    from app.images.segment import Segmented

MAX_DIGITS = 256  # in a picture


def fit(grey: Grey) -> "Fitted":
    """See `app.images.fit.fit`."""
    from app.images.fit import fit

    return fit(grey)


def segment_file(data: bytes, max_pixels: int) -> "Segmented":
    """See `app.images.segment.segment_file`."""
    from app.images.segment import segment_file

    return segment_file(data, max_pixels)


def choose(pieces: "list[Piece]", groups: "list[Group]", probabilities: NDArray[np.float32], alone: bool) -> list[int]:
    """See `app.images.choice.choose`."""
    from app.images.choice import choose

    return choose(pieces, groups, probabilities, alone)
