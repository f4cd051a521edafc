import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.images.ink import find_ink
from app.images.paper import find_paper
from app.images.pixels import quantile, shrink

Grey = NDArray[np.uint8]
RISE, FALL = np.mgrid[0:1:90j, 0:1:120j]


def page(ink: float, brightness: NDArray[np.float64]) -> Grey:
    """A stroke on paper of some brightness, 90x120; `ink`: the share of the light that it leaves, or adds."""
    stroke = np.zeros(brightness.shape)
    cv2.line(stroke, (40, 70), (80, 20), 1.0, 7, cv2.LINE_AA)
    return np.clip(brightness * (1 + (ink - 1) * stroke), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("brightness", [230 + 0 * RISE, 120 + 100 * RISE, 200 - 150 * FALL * RISE, 60 + 30 * FALL])
def test_dark_ink_and_light_ink_are_told_apart_in_any_light(brightness: NDArray[np.float64]) -> None:
    assert not find_paper(page(0.5, brightness)).dark
    assert find_paper(255 - page(0.5, brightness)).dark


def test_the_surface_follows_the_light_and_not_the_ink() -> None:
    brightness = 120 + 100 * RISE - 40 * FALL**2
    surface = cv2.resize(find_paper(page(0.3, brightness)).surface, (120, 90))
    assert np.abs(surface - brightness)[8:-8, 8:-8].max() < 6


def test_a_digit_that_fills_its_picture_is_told_from_paper_by_the_border() -> None:
    thick = np.full((60, 40), 200, np.uint8)
    cv2.ellipse(thick, (20, 30), (13, 22), 0, 0, 360, 60, 11)
    assert not find_paper(thick).dark


def test_ink_is_as_strong_in_the_dark_part_as_in_the_bright() -> None:
    pixels = page(1, 80 + 160 * FALL).astype(float)
    pixels[30:36, 10:20] *= 0.5
    pixels[30:36, 100:110] *= 0.5
    strength = find_ink(pixels.astype(np.uint8)).strength
    assert abs(int(strength[33, 15]) - int(strength[33, 105])) < 25


def test_a_shadow_that_is_wider_than_a_stroke_is_no_ink() -> None:
    pixels = page(0.2, np.where(FALL > 0.7, 130.0, 220.0))
    ink = find_ink(pixels)
    assert ink.mask[40:50, 100:].max() == 0
    assert ink.mask[45, 60] == 255


def test_pixels_are_reduced_to_what_they_are_on_average() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (600, 401), dtype=np.uint8)
    reduced = shrink(noise, 50)
    assert reduced.shape == (50, 33)
    assert abs(float(reduced.mean()) - float(noise.mean())) < 2
    assert shrink(noise, 600) is noise


def test_a_quantile_is_a_value_that_so_many_lie_below() -> None:
    values = np.random.default_rng(0).permutation(100)
    assert [quantile(values, share) for share in (0, 0.25, 0.5, 1)] == [0, 25, 50, 99]
