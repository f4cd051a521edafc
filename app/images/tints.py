"""Ink that is as bright as its paper, red on green say: told by the tints that differ most in the picture."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.images.normalize import Grey

# Red, green and blue → the two tints of ITU-R BT.601, which are 0 for all greys: those that JPEG has beside brightness.
TINTS: NDArray[np.float32] = np.array([[-0.1687, -0.3313, 0.5], [0.5, -0.4187, -0.0813]], np.float32)
NEUTRAL = 128  # grey levels: the picture's mean tint, with as much room above as below
GREYS = {"1", "L", "LA", "I", "I;16", "I;16B", "F"}  # Pillow's modes without colours
TASTE = 64  # pixels of the longer side, from which the tints are known


def to_tints(image: Image.Image, enough: int | None) -> Grey:
    """The tints of a loaded picture, along the direction in which they vary most: uint8 (height, width).

    They keep their scale: where colours differ little, so does this, and what is blank stays blank. `enough`: as for
    `app.images.grey.to_grey`.
    """
    if image.mode in GREYS:
        return np.full((1, 1), NEUTRAL, np.uint8)
    factor = max(1, max(image.size) // enough) if enough else 1
    if image.mode == "P":  # an index says nothing of its neighbours
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    reduced = _opaque(image.reduce(factor))
    taste = np.asarray(reduced.reduce(max(1, max(reduced.size) // TASTE))).reshape(-1, 3)
    tints = taste.astype(np.float32) @ TINTS.T
    off = tints - tints.mean(axis=0)
    direction = np.linalg.eigh(off.T @ off)[1][:, -1]  # of the largest variance
    weights = direction @ TINTS
    black = NEUTRAL - float(tints.mean(axis=0) @ direction)
    return np.asarray(reduced.convert("L", (*weights.tolist(), black)))


def _opaque(image: Image.Image) -> Image.Image:
    """In RGB, and on white paper where it is transparent."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA")).convert("RGB")
