"""What is made of a digit: as large, as thick, as upright and in the same place as MNIST's own."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.images.fit import fit
from app.images.mnist import LEFTMOST, RIGHTMOST
from app.images.resemblance import looks_like_mnist

Grey = NDArray[np.uint8]


def seven(thickness: int, slant: float = 0.0, side: int = 300) -> Grey:
    """A 7, white on black, its strokes so many pixels thick, leaning to the right by `slant` pixels a pixel."""
    points = np.array([[-50, -80], [50, -80], [-10, 80]], np.float64)
    points[:, 0] -= slant * points[:, 1]
    pixels = np.zeros((side, side), np.uint8)
    cv2.polylines(pixels, [(points + side / 2).astype(np.int32)], False, 255, thickness, cv2.LINE_AA)
    return pixels


def ink(image: Grey) -> float:
    return float(image.sum()) / 255


@pytest.mark.parametrize("thickness", [3, 8, 20, 30, 45])
def test_the_digit_is_20_pixels_long_and_its_mass_in_the_middle(thickness: int) -> None:
    assert looks_like_mnist(fit(seven(thickness)).image)


def test_thin_and_thick_strokes_become_as_mnists_are() -> None:
    inks = [ink(fit(seven(thickness)).image) for thickness in (3, 8, 20, 45)]
    assert max(inks) < 1.8 * min(inks)  # their thicknesses are 15 to 1
    assert 60 < min(inks) < max(inks) < 140  # MNIST's sevens: 90 on average


@pytest.mark.parametrize("hairline", [12, 13])
def test_thick_strokes_are_made_thinner_only_as_far_as_their_hairlines_bear(hairline: int) -> None:
    """A 0 as bold serif fonts have it: its sides are 50 pixels thick, and above and below it is thin."""
    pixels = np.zeros((400, 300), np.uint8)
    cv2.ellipse(pixels, (150, 200), (100, 140), 0, 0, 360, 255, -1, cv2.LINE_AA)
    cv2.ellipse(pixels, (150, 200), (50, 140 - hairline), 0, 0, 360, 0, -1, cv2.LINE_AA)
    image = fit(pixels).image
    assert min(image[:14, 14].max(), image[14:, 14].max()) > 200


@pytest.mark.parametrize("slant", [-1.2, -0.8, 0.0, 0.8, 1.2])
def test_a_digit_slants_no_more_than_mnists_do(slant: float) -> None:
    moments = cv2.moments(fit(seven(12, slant)).image)
    assert LEFTMOST - 0.08 < moments["mu11"] / moments["mu02"] < RIGHTMOST + 0.08


def test_other_28x28_pictures_do_not_look_like_mnist() -> None:
    image = fit(seven(20)).image
    assert not looks_like_mnist(255 - image)
    assert not looks_like_mnist(np.roll(image, 2, axis=0))
    assert not looks_like_mnist(cv2.resize(image[4:24, 4:24], (28, 28)))
    assert not looks_like_mnist(np.zeros((28, 28), np.uint8))
    assert not looks_like_mnist(image[:27])
