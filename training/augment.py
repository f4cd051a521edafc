"""Digits distorted as no two hands write them alike: anew for each epoch, so that a network never sees one twice.

Rotation, scale, shear and shift by straight lines; elastic deformation as P. Simard, D. Steinkraus and J. Platt, "Best
Practices for Convolutional Neural Networks Applied to Visual Document Analysis", 2003; and strokes thinner or thicker.
A picture takes 13 µs.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from app.images.normalize import PIXELS, SIDE, Grey
from app.images.opencv import cv2

Floats = NDArray[np.float32]

AT_ONCE = 1000  # pictures in one sheet; OpenCV takes none that is higher than 32,767 pixels
CENTRE = (SIDE - 1) / 2
CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)  # a pixel and its four neighbours
NOISE_STD = 1 / np.sqrt(3)  # of Simard's noise, even between -1 and 1
MODES = 7  # smooth fields in one direction: with 4 pixels of smoothing, an eighth adds 0.1% to the deformation


@dataclass(frozen=True)
class Distortion:
    """The widest of each kind; how much a picture gets is drawn evenly between none and that, both ways.

    `rotation`: radians. `scale`: logarithm of the factor. `shear`: pixels sideways a pixel down. `shift`: pixels, each
    way. `elastic`: Simard's alpha, in pixels before the noise is smoothed; `smoothness`: the standard deviation of
    the Gaussian, in pixels. `stroke`: how far towards the picture with strokes one pixel thinner or thicker each side.
    """

    rotation: float = 0.2
    scale: float = 0.14
    shear: float = 0.15
    shift: float = 0.6
    elastic: float = 36.0
    smoothness: float = 4.0
    stroke: float = 0.3


def distort(images: Grey, by: Distortion, random: np.random.Generator) -> Grey:
    """Each of `images`, uint8 (N, 28, 28), white ink on black, in a form of its own → uint8 (N, 28, 28)."""
    sheets = [_distort(images[start : start + AT_ONCE], by, random) for start in range(0, len(images), AT_ONCE)]
    return np.concatenate(sheets) if sheets else images


def _distort(images: Grey, by: Distortion, random: np.random.Generator) -> Grey:
    """Where each pixel comes from is a weighted sum of a few maps: x, y, 1, and the smooth fields. So the places of all
    pixels of all pictures are one matrix product.
    """
    straight = _straight(len(images), by, random)  # (N, 2, 3)
    fields = _fields(by.smoothness)
    strength = random.uniform(0, by.elastic * NOISE_STD, (len(images), 1, 1))
    bends = strength * random.standard_normal((len(images), 2, len(fields)))  # (N, 2, fields)
    weights = np.concatenate([straight, bends], axis=2).astype(np.float32)
    maps = np.concatenate([_lines(), fields])  # (3 + fields, 784)
    return sample(_restroke(images, by.stroke, random), weights[:, 0] @ maps, weights[:, 1] @ maps)


def sample(images: Grey, x: Floats, y: Floats) -> Grey:
    """`images`, uint8 (N, 28, 28), as seen at the places `x`, `y`: float32 (N, 784), in pixels, 0 at the centre.

    All lie on one sheet, one below the other, for one call of OpenCV.
    """
    x = np.clip(x, -CENTRE, CENTRE) + np.float32(CENTRE)
    y = np.clip(y, -CENTRE, CENTRE) + np.float32(CENTRE)
    y += (np.arange(len(images), dtype=np.float32) * SIDE)[:, np.newaxis]
    sheet = np.ascontiguousarray(images).reshape(-1, SIDE)
    seen: Grey = cv2.remap(sheet, x.reshape(-1, SIDE), y.reshape(-1, SIDE), cv2.INTER_LINEAR)
    return seen.reshape(-1, SIDE, SIDE)


def _straight(count: int, by: Distortion, random: np.random.Generator) -> NDArray[np.float64]:
    """(N, 2, 3): from x, y and 1 where a pixel goes to where it comes from: turned, sheared, scaled, shifted."""
    turn = random.uniform(-by.rotation, by.rotation, count)
    shear = random.uniform(-by.shear, by.shear, count)
    scale = np.exp(random.uniform(-by.scale, by.scale, count))
    cos, sin = scale * np.cos(turn), scale * np.sin(turn)
    left, top = random.uniform(-by.shift, by.shift, (2, count))
    return np.stack(
        [np.stack([cos, cos * shear - sin, left], axis=1), np.stack([sin, sin * shear + cos, top], axis=1)], axis=1
    )


@lru_cache(maxsize=1)
def _lines() -> Floats:
    """x, y and 1 at each pixel, float32 (3, 784), with 0 at the centre."""
    y, x = np.mgrid[:SIDE, :SIDE].reshape(2, PIXELS) - CENTRE
    return np.stack([x, y, np.ones(PIXELS)]).astype(np.float32)


@lru_cache(maxsize=4)
def _fields(smoothness: float) -> Floats:
    """Fields whose sum with independent normal weights is white noise of variance 1 under a Gaussian filter: float32
    (49, 784).

    Filtering noise takes 30 µs a picture. But what is smooth has few degrees of freedom: the filter's largest singular
    vectors in each direction hold nearly all of it (the Karhunen-Loève expansion).
    """
    margin = int(3 * smoothness)
    distance = np.arange(SIDE)[:, np.newaxis] - np.arange(-margin, SIDE + margin)
    kernel = np.exp(-0.5 * (distance / smoothness) ** 2)
    kernel /= kernel.sum(axis=1, keepdims=True)  # (28, 28 + 2 margins)
    vectors, sizes, _ = np.linalg.svd(kernel)
    one_way = (vectors[:, :MODES] * sizes[:MODES]).T  # (7, 28)
    return np.kron(one_way, one_way).astype(np.float32)


def _restroke(images: Grey, most: float, random: np.random.Generator) -> Grey:
    """Mixed with what they are one pixel thicker, or thinner, on each side of the strokes."""
    amount = random.uniform(-most, most, len(images)).astype(np.float32)[:, np.newaxis, np.newaxis]
    # a row of black between two pictures, so that neither grows into the other
    sheet = np.pad(images, ((0, 0), (0, 1), (0, 0))).reshape(-1, SIDE)
    thick, thin = (change(sheet, CROSS).reshape(-1, SIDE + 1, SIDE)[:, :SIDE] for change in (cv2.dilate, cv2.erode))
    changed = images + np.abs(amount) * (np.where(amount > 0, thick, thin).astype(np.float32) - images)
    restroked: Grey = np.rint(changed).astype(np.uint8)
    return restroked
