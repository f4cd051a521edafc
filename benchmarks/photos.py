"""Pictures larger than 28x28, made of MNIST's digits: photographs of 12 megapixels, and small ones in PNG."""

from io import BytesIO

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from benchmarks.exchanges import Images, png

Grey = NDArray[np.uint8]

WIDTH, HEIGHT = 4000, 3000  # pixels: 12 megapixels, as most telephones take them
QUALITIES = (85, 90)  # of JPEG; 2 to 3 MB
COLOUR = (1.0, 0.97, 0.9)  # of the paper, as shares of the grey level
SIDE = 200  # pixels of the small pictures


def paper_with(digit: Images, width: int, height: int, random: Generator, noise: float) -> Grey:
    """`digit`, uint8 (28, 28), white on black, as dark ink on unevenly lit paper: uint8 (height, width).

    `noise`: of the sensor, a standard deviation in grey levels.
    """
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j].astype(np.float32)
    pixels = 200 + 30 * x - 40 * y * y + 10 * x * y
    side = min(width, height) // 2
    ink = cv2.resize(digit, (side, side), interpolation=cv2.INTER_CUBIC) / np.float32(255)
    top, left = (height - side) // 2, (width - side) // 3
    pixels[top : top + side, left : left + side] *= 1 - 0.7 * ink
    pixels += random.normal(0, noise, (height, width))
    return np.asarray(np.clip(pixels, 0, 255), np.uint8)


def photograph(digit: Images, quality: int, random: Generator) -> bytes:
    """A JPEG of WIDTH x HEIGHT, in colour."""
    grey = paper_with(digit, WIDTH, HEIGHT, random, noise=4)
    colours = np.dstack([grey * np.float32(share) for share in COLOUR]).astype(np.uint8)
    file = BytesIO()
    Image.fromarray(colours).save(file, "JPEG", quality=quality)
    return file.getvalue()


def photographs(images: Images) -> list[bytes]:
    """One of each of `images`, its quality each of QUALITIES in turn."""
    random = np.random.default_rng(0)
    return [photograph(image, QUALITIES[k % len(QUALITIES)], random) for k, image in enumerate(images)]


def drawing(digit: Images) -> bytes:
    """A PNG of SIDE x SIDE: black ink on white, nothing else."""
    canvas = np.full((SIDE, SIDE), 255, np.uint8)
    margin = SIDE // 8
    inner = cv2.resize(digit, (SIDE - 2 * margin, SIDE - 2 * margin), interpolation=cv2.INTER_CUBIC)
    canvas[margin:-margin, margin:-margin] = 255 - inner
    return png(canvas)


def noisy_paper(digit: Images) -> bytes:
    """A PNG of SIDE x SIDE: a photograph's crop."""
    return png(paper_with(digit, SIDE, SIDE, np.random.default_rng(0), noise=4))
