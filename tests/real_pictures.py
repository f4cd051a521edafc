"""Pictures as people send them, made of MNIST's digits: photographs, scans, drawings. What was done is known."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from tests.support import encode

Grey = NDArray[np.uint8]
Box = tuple[int, int, int, int]

# How the pixels of an upright picture are stored for a camera's note to turn them back: the inverse of EXIF's.
STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@dataclass(frozen=True)
class Scene:
    """A picture with one digit in it. `box`: left, top, right, bottom of what is at least half as dark as full ink."""

    pixels: Grey
    box: Box


def enlarged(image: Grey, side: int) -> NDArray[np.float32]:
    """`image`, uint8 (28, 28), white on black, as a digit of `side` pixels without its margin: float32, ink in 0..1."""
    left, top, width, height = cv2.boundingRect(image)
    scale = side / max(width, height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    crop = image[top : top + height, left : left + width]
    ink: NDArray[np.float32] = cv2.resize(crop, size, interpolation=cv2.INTER_CUBIC).astype(np.float32)
    return np.clip(ink / 255, 0, 1)


def light(width: int, height: int, random: Generator, level: float = 200) -> NDArray[np.float32]:
    """Paper that is lit from one side and darker towards a corner: float32 (height, width), in grey levels."""
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j].astype(np.float32)
    slope, corner = random.uniform(-30, 30, 2), random.uniform(0, 25)
    paper: NDArray[np.float32] = level + slope[0] * (x - 0.5) + slope[1] * (y - 0.5) - corner * x * y
    return paper


def photograph(
    image: Grey, random: Generator, size: tuple[int, int] = (300, 240), darkness: float = 0.75, noise: float = 4
) -> Scene:
    """Ink on uneven paper, seen by a sensor. `size`: width, height. `darkness`: the share of light that ink takes."""
    width, height = size
    ink = enlarged(image, int(min(size) * random.uniform(0.4, 0.7)))
    margin = 0.08  # of the picture: that much of the paper is around the digit
    left = int(random.uniform(margin, 1 - margin) * (width * (1 - 2 * margin) - ink.shape[1]) + margin * width)
    top = int(random.uniform(margin, 1 - margin) * (height * (1 - 2 * margin) - ink.shape[0]) + margin * height)
    pixels = light(width, height, random)
    pixels[top : top + ink.shape[0], left : left + ink.shape[1]] *= 1 - darkness * ink
    if noise:
        pixels += random.normal(0, noise, (height, width)).astype(np.float32)
    x, y, across, down = cv2.boundingRect((ink >= 0.5).astype(np.uint8))
    box = left + x, top + y, left + x + across, top + y + down
    return Scene(np.rint(np.clip(pixels, 0, 255)).astype(np.uint8), box)


def drawing(image: Grey, side: int = 200) -> Grey:
    """As a paint program makes it: ink (255) on nothing (0), uint8 (side, side), with some room around it."""
    ink = enlarged(image, int(0.7 * side))
    canvas = np.zeros((side, side), np.uint8)
    top, left = (side - ink.shape[0]) // 2, (side - ink.shape[1]) // 2
    canvas[top : top + ink.shape[0], left : left + ink.shape[1]] = np.rint(ink * 255)
    return canvas


def with_opacity(colours: int | NDArray[np.uint8], opacity: Grey) -> bytes:
    """A PNG of one colour, or of grey pixels, with the opacity of each pixel, 0 to 255."""
    grey = np.broadcast_to(np.asarray(colours, np.uint8), opacity.shape)
    return encode(Image.fromarray(np.dstack([grey, grey, grey, opacity]), "RGBA"))


def turned_by_exif(upright: Grey, orientation: int, kind: str = "JPEG", **options: Any) -> bytes:
    """The file of a camera that lay so that EXIF's `orientation`, 1 to 8, has to turn the picture."""
    image = Image.fromarray(upright)
    if orientation in STORED:
        image = image.transpose(STORED[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encode(image, kind, exif=exif, **options)
