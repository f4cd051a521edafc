from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.images.fit import fit
from app.images.sheet import on_sheet

Grey = NDArray[np.uint8]

FOUR = np.array([[180, 100], [155, 165], [225, 165], [205, 130], [200, 200]])
FOURS_BOX = (151, 96, 230, 205)
LAYOUTS: dict[str, list[Any]] = {  # where the table is seen in a picture of 300x400: rows, columns
    "on all sides": [np.s_[:50], np.s_[260:], np.s_[:, :100], np.s_[:, 300:]],
    "along one side": [np.s_[:, :110]],
    "around a corner": [np.s_[:60], np.s_[:, :100]],
}


def photographed(pixels: NDArray[np.generic], noise: float = 2) -> Grey:
    """As a camera sees it: a little blurred, with noise."""
    seen = cv2.GaussianBlur(pixels.astype(np.float32), (0, 0), 1)
    grey: Grey = np.clip(seen + np.random.default_rng(0).normal(0, noise, seen.shape), 0, 255).astype(np.uint8)
    return grey


def write(pixels: Grey, pen: int = 9, ink: int = 40, at: tuple[int, int] = (0, 0)) -> Grey:
    """A 4, moved by `at`: (right, down)."""
    cv2.polylines(pixels, [FOUR + np.array(at)], False, ink, pen, cv2.LINE_AA)
    return pixels


def page_on(wood: int, layout: str, pen: int) -> Grey:
    """White paper with a 4 on a table that is seen in some places."""
    pixels = np.full((300, 400), 235, np.uint8)
    for where in LAYOUTS[layout]:
        pixels[where] = wood
    return photographed(write(pixels, pen), 4)


def half_in_shadow(soft: float, ink_at: tuple[tuple[int, int], ...]) -> Grey:
    """Paper, the left half of which is in a shadow whose edge is `soft`, in pixels, with 4s on it."""
    pixels = np.full((300, 400), 225, np.uint8)
    for at in ink_at:
        write(pixels, at=at)
    shade = np.ones((300, 400), np.float32)
    shade[:, :200] = 0.6
    return photographed(pixels * cv2.GaussianBlur(shade, (0, 0), soft))


def with_a_book() -> Grey:
    """Paper that fills the picture, a corner of which is covered by something dark."""
    pixels = np.full((300, 400), 225, np.uint8)
    pixels[:170, :180] = 90
    return photographed(write(pixels, at=(50, 70)))


def on_a_board(pen: int) -> Grey:
    """A large 0 in thick chalk on a grey board, 300x240."""
    pixels = np.full((300, 240), 70, np.uint8)
    cv2.ellipse(pixels, (120, 150), (80, 115), 0, 0, 360, 225, pen)
    return photographed(pixels)


def table(paper: int = 210, wood: int = 60, ink: int = 70, turn: float = 8) -> Grey:
    """A sheet on a table, 300x400, a little turned, with a 4 written on it."""
    pixels = np.full((300, 400), wood, np.uint8)
    corners = cv2.boxPoints(((190, 150), (220, 180), turn)).astype(np.int32)
    cv2.fillPoly(pixels, [corners], paper)
    cv2.polylines(pixels, [FOUR], False, ink, 9)
    return photographed(pixels)


@pytest.mark.parametrize(("turn", "left_edge"), [(0, 80), (8, 69), (30, 50)])
def test_the_table_is_no_ink(turn: float, left_edge: int) -> None:
    pixels = table(turn=turn)
    part, (left, top, right, bottom) = on_sheet(pixels)
    assert part.shape == (bottom - top, right - left)
    assert abs(left - left_edge) <= 6
    assert part[:5, :5].min() > 180  # the corner, where the table was
    fitted = fit(pixels)
    assert np.abs(np.array(fitted.box) - FOURS_BOX).max() <= 4
    assert fitted.inverted


@pytest.mark.parametrize("pen", [4, 9, 20])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("wood", [40, 80, 120, 155, 180, 205])
def test_a_digit_is_found_on_paper_on_any_table(wood: int, layout: str, pen: int) -> None:
    fitted = fit(page_on(wood, layout, pen))
    half = pen // 2
    expected = np.array([155 - half, 100 - half, 225 + half, 200 + half])
    assert np.abs(np.array(fitted.box) - expected).max() <= 8
    assert fitted.inverted
    assert not fitted.warnings


def torn_scrap(middle: tuple[int, int], pen: int) -> Grey:
    """A scrap with 40 corners, 180 pixels to the sides and 140 up and down, on a table; with a 4 on it."""
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    reach = np.random.default_rng(2).uniform(0.92, 1.05, 40)
    corners = np.array(middle) + np.stack([180 * reach * np.cos(angles), 140 * reach * np.sin(angles)], axis=1)
    pixels = np.full((300, 400), 80, np.uint8)
    cv2.fillPoly(pixels, [corners.astype(np.int32)], 235)
    return photographed(write(pixels, pen))


@pytest.mark.parametrize("pen", [5, 9, 15])
@pytest.mark.parametrize("middle", [(200, 150), (120, 150), (250, 150), (200, 100)])
def test_a_digit_is_found_on_a_torn_scrap(middle: tuple[int, int], pen: int) -> None:
    fitted = fit(torn_scrap(middle, pen))
    half = pen // 2
    assert np.abs(np.array(fitted.box) - (155 - half, 100 - half, 225 + half, 200 + half)).max() <= 6
    assert fitted.inverted
    assert not fitted.warnings


def test_a_digit_that_touches_the_edge_of_its_note_is_whole() -> None:
    pixels = np.full((300, 400), 70, np.uint8)
    pixels[80:240, 120:290] = 235
    write(pixels, at=(-29, -13))  # its left end is at the note's edge, its upper end 2 pixels from it
    fitted = fit(photographed(pixels))
    assert np.abs(np.array(fitted.box) - (122, 82, 200, 191)).max() <= 4


@pytest.mark.parametrize(
    "pixels",
    [
        table(ink=210),  # nothing is written on it
        255 - table(),  # a dark board on a light wall
        np.full((300, 400), 200, np.uint8),
        np.tile(np.linspace(20, 240, 400).astype(np.uint8), (300, 1)),  # light that fades
        np.zeros((8, 300), np.uint8),
        np.where(table(wood=210) < 140, table(wood=210), cv2.blur(table(ink=210), (131, 131))),  # a spot of light
        with_a_book(),
        on_a_board(40),
        on_a_board(60),
        half_in_shadow(25, ((100, 0),)),  # its edge is soft
        half_in_shadow(1, ((10, 0),)),  # the digit lies across the edge: no sheet ends there
        half_in_shadow(1, ((100, 0), (-100, 0))),  # there is ink on both sides
    ],
)
def test_without_a_sheet_a_picture_is_left_as_it_is(pixels: Grey) -> None:
    part, box = on_sheet(pixels)
    assert part is pixels
    assert box == (0, 0, pixels.shape[1], pixels.shape[0])


@pytest.mark.parametrize("scale", [1, 2, 4])
@pytest.mark.parametrize("side", ["upper left", "lower right"])
def test_a_digit_in_the_corner_of_plain_paper_is_no_table(side: str, scale: int) -> None:
    canvas = np.full((50 * scale + 100, 50 * scale + 100), 255, np.uint8)
    cv2.polylines(canvas, [FOUR - (155, 100)], False, 0, 13, cv2.LINE_AA)  # cut by both borders
    pixels = canvas if side == "upper left" else np.ascontiguousarray(canvas[::-1, ::-1])
    assert on_sheet(pixels)[0] is pixels


@pytest.mark.parametrize("pen", [9, 21, 31])
def test_a_digit_that_is_cropped_to_its_strokes_is_no_table(pen: int) -> None:
    seven = np.full((150, 110), 230, np.uint8)
    cv2.polylines(seven, [np.array([[-20, 0], [105, pen // 2], [45, 170]])], False, 40, pen)
    assert on_sheet(seven)[0] is seven


def test_a_drawn_digit_with_a_hole_is_no_sheet() -> None:
    zero = np.zeros((100, 100), np.uint8)
    cv2.rectangle(zero, (30, 20), (70, 80), 255, 9)
    assert on_sheet(zero)[0] is zero
