import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.images.fit import fit
from app.images.sheet import on_sheet

Grey = NDArray[np.uint8]


def table(paper: int = 210, wood: int = 60, ink: int = 70, turn: float = 8) -> Grey:
    """A sheet on a table, 300x400, a little turned, with a 4 written on it."""
    pixels = np.full((300, 400), wood, np.uint8)
    corners = cv2.boxPoints(((190, 150), (220, 180), turn)).astype(np.int32)
    cv2.fillPoly(pixels, [corners], paper)
    four = np.array([[180, 100], [155, 165], [225, 165], [205, 130], [200, 200]])
    cv2.polylines(pixels, [four], False, ink, 9)
    noise = np.random.default_rng(0).normal(0, 2, pixels.shape)
    photographed: Grey = np.clip(cv2.GaussianBlur(pixels, (0, 0), 1) + noise, 0, 255).astype(np.uint8)
    return photographed


@pytest.mark.parametrize("turn", [0, 8, 30])
def test_the_table_is_no_ink(turn: float) -> None:
    pixels = table(turn=turn)
    part, (left, top, right, bottom) = on_sheet(pixels)
    assert part.shape == (bottom - top, right - left)
    assert 60 < left < 120
    assert part[:5, :5].min() > 180  # the corner, where the table was
    fitted = fit(pixels)
    assert np.abs(np.array(fitted.box) - (151, 96, 230, 205)).max() <= 4
    assert fitted.inverted


@pytest.mark.parametrize(
    "pixels",
    [
        table(wood=160),  # a shadow may be so dark
        table(ink=210),  # nothing is written on it
        255 - table(),  # a dark board on a light wall
        np.full((300, 400), 200, np.uint8),
        np.tile(np.linspace(20, 240, 400).astype(np.uint8), (300, 1)),  # light that fades
        np.zeros((8, 300), np.uint8),
    ],
)
def test_without_a_sheet_a_picture_is_left_as_it_is(pixels: Grey) -> None:
    part, box = on_sheet(pixels)
    assert part is pixels
    assert box == (0, 0, pixels.shape[1], pixels.shape[0])


def test_a_drawn_digit_with_a_hole_is_no_sheet() -> None:
    zero = np.zeros((100, 100), np.uint8)
    cv2.rectangle(zero, (30, 20), (70, 80), 255, 9)
    assert on_sheet(zero)[0] is zero
