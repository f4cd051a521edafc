"""A digit on a panel: the black canvas of a drawing program on its white page, a slate on a table."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.images.fit import fit
from app.images.panel import panel_of
from app.images.parts import Digit
from tests.real_pictures import drawing
from training.dataset import Dataset

Grey = NDArray[np.uint8]
PAGE, PANEL = 250, 20  # grey levels


def on_a_page(image: Grey, tilt: float = 0, left: int = 60, top: int = 90) -> Grey:
    """A digit, light on a dark panel of 200x200 that is tilted by so many degrees on a lighter page of 400x500."""
    panel = np.maximum(drawing(image), PANEL)
    turn = cv2.getRotationMatrix2D((100, 100), tilt, 1)
    turn[:, 2] += left, top
    page = np.full((400, 500), PAGE, np.uint8)
    cv2.warpAffine(panel, turn, (500, 400), dst=page, borderMode=cv2.BORDER_TRANSPARENT)
    return page


@pytest.mark.parametrize(("tilt", "left", "top"), [(0, 60, 90), (0, 0, 0), (0, 280, 190), (8, 60, 90), (-15, 200, 120)])
def test_a_digit_on_a_dark_panel_is_read_on_it(mnist: Dataset, tilt: float, left: int, top: int) -> None:
    for image in mnist.x_test[:20]:
        found = fit(on_a_page(image, tilt, left, top))
        assert not found.inverted
        assert found.box[0] > left + 10
        assert found.box[1] > top + 10
        assert found.box[2] < left + 190
        assert found.box[3] < top + 190
        if not tilt:
            alone = fit(drawing(image)).image
            assert cv2.matchTemplate(found.image, alone[1:-1, 1:-1], cv2.TM_CCOEFF_NORMED).max() > 0.9


def disc(page: Grey, level: int) -> None:
    cv2.ellipse(page, (250, 200), (150, 130), 0, 0, 360, level, -1, cv2.LINE_AA)


def button(page: Grey, level: int) -> None:
    """A rectangle with round corners."""
    cv2.rectangle(page, (145, 115), (355, 285), level, -1)
    cv2.rectangle(page, (145, 115), (355, 285), level, 60, cv2.LINE_AA)


def outlined(page: Grey, level: int, radii: NDArray[np.float64], across: float = 1.1) -> None:
    """A shape of so many corners around (250, 200), each so far from there: `across` times as far to the sides."""
    angles = np.linspace(0, 2 * np.pi, len(radii), endpoint=False)
    corners = np.stack([250 + across * radii * np.cos(angles), 200 + radii * np.sin(angles)], axis=1)
    cv2.fillPoly(page, [corners.astype(np.int32)], level)


def torn_scrap(page: Grey, level: int) -> None:
    outlined(page, level, 165 + np.random.default_rng(1).uniform(-15, 15, 60))


def corner_of_a_page(page: Grey, level: int) -> None:
    outlined(page, level, np.array([160.0, 190, 160, 175, 190]))


def leaf(page: Grey, level: int) -> None:
    outlined(page, level, 160 + 8 * np.cos(9 * np.linspace(0, 2 * np.pi, 90, endpoint=False)), 1.5)


@pytest.mark.parametrize("draw", [disc, button, torn_scrap, corner_of_a_page, leaf])
@pytest.mark.parametrize(("ground", "panel"), [(PAGE, PANEL), (PANEL, PAGE), (PAGE, 110)])
def test_a_digit_on_a_panel_of_any_shape_is_read_on_it(
    mnist: Dataset, draw: Callable[[Grey, int], None], ground: int, panel: int
) -> None:
    for image in mnist.x_test[:20]:
        page = np.full((400, 500), ground, np.uint8)
        draw(page, panel)
        ink = cv2.resize(image, (200, 200), interpolation=cv2.INTER_CUBIC) > 128
        page[100:300, 150:350][ink] = ground
        found = fit(page)
        assert found.inverted == (panel > ground)
        assert found.box[0] > 150
        assert found.box[2] < 350


@pytest.mark.parametrize(("ground", "panel"), [(PAGE, PANEL), (PANEL, PAGE)])
def test_a_disc_with_nothing_on_it_is_all_there_is(ground: int, panel: int) -> None:
    page = np.full((400, 500), ground, np.uint8)
    disc(page, panel)
    found = fit(page)
    assert found.inverted == (panel < ground)
    assert np.abs(np.array(found.box) - (100, 70, 400, 330)).max() <= 6


def test_a_fat_zero_is_no_disc(mnist: Dataset) -> None:
    zeros = mnist.x_test[mnist.y_test == 0][:50]
    for image in zeros:
        large = cv2.copyMakeBorder(cv2.resize(image, (200, 200)), 60, 60, 60, 60, cv2.BORDER_CONSTANT)
        fat = cv2.dilate(large, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (15, 15)))
        assert not fit(fat).inverted
        assert fit(255 - fat).inverted


def test_a_fat_digit_is_no_scrap(mnist: Dataset) -> None:
    for image in mnist.x_test[:200]:
        large = cv2.copyMakeBorder(cv2.resize(image, (200, 200)), 60, 60, 60, 60, cv2.BORDER_CONSTANT)
        fat = cv2.dilate(large, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (25, 25)))
        assert not fit(fat).inverted
        assert fit(255 - fat).inverted


def box_of(shape: Grey) -> tuple[int, int, int, int]:
    left, top, width, height = cv2.boundingRect(shape)
    return left, top, left + width, top + height


def fat_zero(shape: Grey) -> None:
    cv2.ellipse(shape, (50, 50), (24, 32), 0, 0, 360, 255, 20)


def broad_zero(shape: Grey) -> None:
    cv2.ellipse(shape, (50, 50), (36, 32), 0, 0, 360, 255, -1)
    cv2.ellipse(shape, (50, 50), (20, 5), 0, 0, 360, 0, -1)


def bold_serif_zero(shape: Grey) -> None:
    """Thick at its sides, and thin above and below."""
    cv2.ellipse(shape, (50, 50), (32, 40), 0, 0, 360, 255, -1)
    cv2.ellipse(shape, (50, 50), (11, 33), 0, 0, 360, 0, -1)


def fat_one(shape: Grey) -> None:
    cv2.line(shape, (50, 20), (50, 80), 255, 17)


def drawn_box(shape: Grey) -> None:
    cv2.rectangle(shape, (20, 20), (80, 80), 255, 6)


@pytest.mark.parametrize("draw", [fat_zero, broad_zero, bold_serif_zero, fat_one, drawn_box])
def test_a_thick_digit_is_read_itself_and_not_its_inside(draw: Callable[[Grey], None]) -> None:
    shape = np.zeros((100, 100), np.uint8)
    draw(shape)
    assert np.abs(np.array(fit(255 - shape).box) - box_of(shape)).max() <= 2


def test_a_dark_square_with_nothing_on_it_is_all_there_is() -> None:
    page = np.full((300, 300), PAGE, np.uint8)
    page[80:200, 100:220] = np.random.default_rng(0).normal(40, 4, (120, 120)).astype(np.uint8)
    found = fit(page)
    assert found.inverted
    assert np.abs(np.array(found.box) - (100, 80, 220, 200)).max() <= 6


def test_a_panel_of_a_pixel_is_none() -> None:
    mask = np.zeros((9, 9), np.uint8)
    mask[3:6, 3:6] = 255  # as seen from near: its middle is no pixel of the picture
    grey = np.full((9, 9), PAGE, np.uint8)
    assert panel_of(grey, Digit(mask, (3, 3, 6, 6), several=False, cut=False), (4, 4, 5, 5), dark=True) is None
