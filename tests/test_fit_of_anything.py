"""Whatever the pixels are, the fit gives a picture as MNIST's or says that there is none; in bounded time."""

import time
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import Generator
from numpy.typing import NDArray

from app.errors import BlankPicture
from app.images.fit import fit

pytestmark = pytest.mark.alone

Grey = NDArray[np.uint8]
Make = Callable[[int, int, Generator], Grey]
# of CPU; the slowest of the sizes below takes some 10 ms here
LIMIT_S = 1.0


def flat(height: int, width: int, random: Generator) -> Grey:
    return np.full((height, width), random.integers(256), np.uint8)


def random_pixels(height: int, width: int, random: Generator) -> Grey:
    return random.integers(0, 256, (height, width), np.uint8)


def few_levels(height: int, width: int, random: Generator) -> Grey:
    levels = random.integers(0, 256, random.integers(1, 4), np.uint8)
    pixels: Grey = levels[random.integers(0, len(levels), (height, width))]
    return pixels


def stripes(height: int, width: int, random: Generator) -> Grey:
    phase = np.arange(height)[:, np.newaxis] * random.uniform(-1, 1) + np.arange(width) * random.uniform(-1, 1)
    dark, light = random.integers(0, 256, 2)
    pixels: Grey = np.where(np.sin(phase) > random.uniform(-1, 1), light, dark).astype(np.uint8)
    return pixels


def one_odd_pixel(height: int, width: int, random: Generator) -> Grey:
    pixels = flat(height, width, random)
    pixels[random.integers(height), random.integers(width)] ^= 0xFF
    return pixels


def half(height: int, width: int, random: Generator) -> Grey:
    pixels = flat(height, width, random)
    pixels[: random.integers(height + 1), : random.integers(width + 1)] ^= 0xFF
    return pixels


def gradient(height: int, width: int, random: Generator) -> Grey:
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    down, across = random.uniform(-300, 300, 2)
    return np.asarray(np.clip(down * y + across * x + 128, 0, 255), np.uint8)


def strokes(height: int, width: int, random: Generator) -> Grey:
    pixels = flat(height, width, random)
    points = random.integers(-10, (width + 10, height + 10), (random.integers(2, 9), 2)).astype(np.int32)
    cv2.polylines(pixels, [points], bool(random.integers(2)), int(random.integers(256)), int(random.integers(1, 20)))
    return pixels


KINDS = [flat, random_pixels, few_levels, stripes, one_odd_pixel, half, gradient, strokes]
ORDINARY = st.tuples(st.integers(1, 300), st.integers(1, 300))
EXTREME = st.sampled_from([(1, 3000), (3000, 1), (2, 3000), (3000, 3), (1, 1), (1, 2), (28, 28), (300, 300)])


def check(grey: Grey) -> None:
    begin = time.thread_time()
    kept = grey.copy()
    try:
        fitted = fit(grey)
    except BlankPicture:
        fitted = None
    assert time.thread_time() - begin < LIMIT_S
    assert (grey == kept).all()
    if fitted is None:
        return
    assert fitted.image.shape == (28, 28)
    assert fitted.image.dtype == np.uint8
    assert fitted.image.max() > 0
    left, top, right, bottom = fitted.box
    assert 0 <= left < right <= grey.shape[1]
    assert 0 <= top < bottom <= grey.shape[0]
    assert all(isinstance(edge, int) for edge in fitted.box)
    assert all(isinstance(warning, str) for warning in fitted.warnings)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(KINDS), ORDINARY | EXTREME, st.integers(0, 2**32 - 1))
def test_the_fit_raises_nothing_but_blank(kind: Make, size: tuple[int, int], seed: int) -> None:
    check(kind(*size, np.random.default_rng(seed)))


@pytest.mark.parametrize("size", [(1, 3000), (3000, 1), (2, 3000), (3000, 3), (1, 1), (300, 300), (768, 1024)])
@pytest.mark.parametrize("kind", KINDS)
def test_extreme_shapes_are_fitted_or_refused(kind: Make, size: tuple[int, int]) -> None:
    for seed in range(5):
        check(kind(*size, np.random.default_rng(seed)))


def test_pixels_that_may_not_be_written_are_fitted() -> None:
    grey = strokes(60, 60, np.random.default_rng(1))
    grey.setflags(write=False)
    check(grey)


def test_opencv_has_one_thread() -> None:
    assert cv2.getNumThreads() == 1
