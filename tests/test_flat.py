"""Digits on paper that lies partly in a shadow, or has a bright spot: found as on paper that is lit evenly."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.images.fit import TOUCHES, Fitted, fit
from app.images.flat import flat_ink, strongest_ink
from tests.real_pictures import enlarged, photograph
from training.dataset import Dataset

Light = NDArray[np.float32]
HEIGHT, WIDTH = 360, 480
DIGIT, LEFT, TOP = 100, 260, 130  # pixels: how tall the digit is, and where


def page(image: NDArray[np.uint8], light: Light) -> NDArray[np.uint8]:
    """A pen's digit on paper, `light`: float32 (HEIGHT, WIDTH), the share of the light that falls on it."""
    ink = enlarged(image, DIGIT)
    pixels = np.full((HEIGHT, WIDTH), 225, np.float32)
    pixels[TOP : TOP + ink.shape[0], LEFT : LEFT + ink.shape[1]] *= 1 - 0.8 * ink
    noise = np.random.default_rng(0).normal(0, 3, light.shape)
    return np.clip(pixels * light + noise, 0, 255).astype(np.uint8)


def shadow(outline: list[tuple[int, int]], darkness: float, softness: float) -> Light:
    """A polygon's. `softness`: pixels that its edge is blurred by."""
    covered = np.zeros((HEIGHT, WIDTH), np.float32)
    cv2.fillPoly(covered, [np.array(outline)], 1.0)
    light: Light = 1 - darkness * cv2.GaussianBlur(covered, (0, 0), softness)
    return light


def assert_found(found: Fitted, image: NDArray[np.uint8]) -> None:
    """Where it is, whole, and as it looks in even light."""
    plain = fit(page(image, np.ones((HEIGHT, WIDTH), np.float32)))
    assert np.abs(np.array(found.box) - plain.box).max() <= 8
    assert found.inverted
    assert TOUCHES not in found.warnings
    difference = np.abs(found.image.astype(np.float32) - plain.image).sum()
    assert difference < 0.35 * plain.image.sum()


BAND = [(0, 0), (170, 0), (130, HEIGHT), (0, HEIGHT)]
ACROSS = [(0, 0), (330, 0), (280, HEIGHT), (0, HEIGHT)]  # its edge goes through the digit
HAND = [(70, 160), (90, 60), (190, 50), (230, 150), (210, 270), (110, 300)]  # beside the digit, and off the border
OVER = [(160, 160), (200, 60), (330, 40), (390, 170), (350, 290), (210, 300)]  # the digit lies in it
CORNER = [(360, HEIGHT), (380, 300), (430, 260), (WIDTH, 240), (WIDTH, HEIGHT)]


@pytest.mark.parametrize("softness", [1, 10, 30])
@pytest.mark.parametrize("darkness", [0.15, 0.25, 0.35, 0.5])
@pytest.mark.parametrize("outline", [BAND, CORNER], ids=["band", "corner"])
def test_a_shadow_is_no_ink(mnist: Dataset, outline: list[tuple[int, int]], darkness: float, softness: float) -> None:
    for image in mnist.x_test[:6]:
        assert_found(fit(page(image, shadow(outline, darkness, softness))), image)


@pytest.mark.parametrize("softness", [1, 10, 30])
@pytest.mark.parametrize("darkness", [0.15, 0.3, 0.5])
def test_a_digit_may_lie_across_a_shadows_edge(mnist: Dataset, darkness: float, softness: float) -> None:
    for image in mnist.x_test[:6]:
        assert_found(fit(page(image, shadow(ACROSS, darkness, softness))), image)


@pytest.mark.parametrize("softness", [5, 15])
@pytest.mark.parametrize(
    ("outline", "darkness"), [(HAND, 0.4), (HAND, 0.5), (OVER, 0.4)], ids=["beside", "dark", "over"]
)
def test_a_shadow_in_the_middle_is_no_ink(
    mnist: Dataset, outline: list[tuple[int, int]], darkness: float, softness: float
) -> None:
    for image in mnist.x_test[:6]:
        assert_found(fit(page(image, shadow(outline, darkness, softness))), image)


def test_a_bright_spot_is_no_ink(mnist: Dataset) -> None:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    glare = np.exp(-(((x - 120) / 60) ** 2) - ((y - 80) / 45) ** 2)
    for image in mnist.x_test[:6]:
        assert_found(fit(page(image, (0.8 + 0.35 * glare).astype(np.float32))), image)


@pytest.mark.parametrize("darkness", [0.2, 0.35, 0.5, 0.8])
def test_what_is_cut_off_indeed_is_found_at_the_border(mnist: Dataset, darkness: float) -> None:
    random = np.random.default_rng(2)
    for image in mnist.x_test[:25]:
        scene = photograph(image, random, darkness=darkness)
        pixels, (left, _, right, bottom) = scene.pixels, scene.box
        for cut in (pixels[:, left + 8 :], pixels[:, : right - 8], pixels[: bottom - 8]):
            assert TOUCHES in fit(cut).warnings


@pytest.mark.parametrize("dark", [False, True])
def test_the_ink_of_either_paper_stands_out(mnist: Dataset, dark: bool) -> None:
    even = page(mnist.x_test[0], np.ones((HEIGHT, WIDTH), np.float32))
    assert strongest_ink(255 - even if dark else even, 40).inverted is not dark


def test_the_edge_of_a_shadow_is_no_stroke(mnist: Dataset) -> None:
    mask = flat_ink(page(mnist.x_test[0], shadow(BAND, 0.4, 5)), dark=False, widest=60).mask
    assert mask[:, :LEFT].max() == 0
    assert mask[TOP : TOP + DIGIT, LEFT:].max() == 255
