"""How lines of digits climb, and the picture turned until they are level."""

import cv2
import numpy as np
import pytest

from app.images.box import Box
from app.images.rows import Boxes
from app.images.segment import segment
from app.images.tilt import FEWEST, tilt_of, turned
from training.dataset import Dataset
from training.rows import Style, compose


def climbing(degrees: float, lines: int, each: int) -> Boxes:
    """Boxes 30 pixels tall in lines that climb, each a little above or below its place."""
    random = np.random.default_rng(3)
    along = 34.0 * np.tile(np.arange(each), lines)
    down = 60.0 * np.repeat(np.arange(lines), each) + random.normal(0, 1.5, lines * each)
    sine, cosine = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
    middles = np.stack([along * cosine + down * sine, down * cosine - along * sine], axis=1) + 500
    half = np.array([10, 15])
    return np.hstack([middles - half, middles + half]).astype(np.int32)


@pytest.mark.parametrize("degrees", [-35, -12, 12, 20, 35])
@pytest.mark.parametrize(("lines", "each"), [(1, 4), (1, 12), (3, 5), (6, 9)])
def test_the_tilt_of_lines_is_told_by_their_digits(degrees: int, lines: int, each: int) -> None:
    assert abs(tilt_of(climbing(degrees, lines, each)) - degrees) <= 2


@pytest.mark.parametrize(
    "boxes", [climbing(4, 3, 6), climbing(0, 1, 12), climbing(20, 1, FEWEST - 1), climbing(9, 0, 0)]
)
def test_lines_near_level_and_too_few_digits_are_left_as_they_are(boxes: Boxes) -> None:
    assert tilt_of(boxes) == 0


@pytest.mark.parametrize("degrees", [-30, 17])
def test_a_box_in_the_turned_picture_is_around_the_digit_as_it_was(degrees: int) -> None:
    picture = np.zeros((200, 300), np.uint8)
    cv2.circle(picture, (240, 60), 20, 255, -1)
    level = turned(picture, degrees)
    assert np.abs(np.array(level.box_before(box_of(level.grey))) - box_of(picture)).max() <= 2


def test_ink_at_the_border_does_not_go_on_beyond_it_and_its_box_stays_within() -> None:
    picture = np.full((200, 300), 220, np.uint8)
    picture[95:109, :30] = 20
    level = turned(picture, 30)
    assert 0.9 < (level.grey < 120).sum() / (picture < 120).sum() < 1.1
    left, top, right, bottom = level.box_before(box_of(255 - level.grey))
    assert 0 == left < right < 60
    assert 0 < top < bottom < 200


def box_of(picture: cv2.typing.MatLike) -> Box:
    left, top, width, height = cv2.boundingRect((picture > 127).astype(np.uint8))
    return left, top, left + width, top + height


@pytest.mark.parametrize("degrees", [-24, 15, 33])
def test_a_tilted_row_is_one_line_with_its_digits_in_place(mnist: Dataset, degrees: int) -> None:
    random = np.random.default_rng(5)
    row = compose(mnist.x_train[:6], Style("middling", "paper", size=3), random)
    tilted = turned(row.picture, -degrees)
    found = segment(tilted.grey)
    assert len(found.lines) == 1
    middles = np.array([np.add(group.box[:2], group.box[2:]) / 2 for group in found.lines[0].groups])
    for mask in row.masks:
        place = box_of(turned(np.where(mask, 255, 0).astype(np.uint8), -degrees).grey)
        assert (
            np.hypot(*(middles - np.add(place[:2], place[2:]) / 2).T).min() <= 12
        )  # of 60: a slanted digit isn't in the middle of its box
