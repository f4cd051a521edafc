"""Whether what looks like digits is ink, or the paper between strokes or around light digits."""

import cv2
import numpy as np
import pytest

from app.images.box import Box
from app.images.groups import Group
from app.images.inked import is_ink, is_on_paper
from app.images.normalize import Grey
from app.images.segment import segment

MIDDLES = (60, 140, 220)


@pytest.fixture(scope="module")
def noughts() -> tuple[Grey, list[Group]]:
    """Three 0s, 60 pixels tall, on white paper, and the group that each is."""
    picture = np.full((100, 280), 240, np.uint8)
    for middle in MIDDLES:
        cv2.ellipse(picture, (middle, 50), (18, 27), 0, 0, 360, 30, 6, cv2.LINE_AA)
    return picture, [group for group in segment(picture).lines[0].groups if group.box[2] - group.box[0] > 38]


def test_digits_stand_on_paper(noughts: tuple[Grey, list[Group]]) -> None:
    picture, digits = noughts
    assert len(digits) == len(MIDDLES)
    assert is_on_paper(picture, digits, dark=False)
    assert is_ink(picture, digits, dark=False)
    assert not is_ink(picture, [], dark=False)


def test_what_is_between_strokes_does_not(noughts: tuple[Grey, list[Group]]) -> None:
    picture, digits = noughts
    loops = [digits[0]._replace(box=(middle - 12, 30, middle + 12, 70)) for middle in MIDDLES]
    gaps = [digits[0]._replace(box=(middle + 22, 30, middle + 58, 70)) for middle in MIDDLES[:-1]]
    assert not is_on_paper(picture, loops, dark=True)
    assert not is_on_paper(picture, gaps, dark=True)


def test_dark_windows_are_no_ink(noughts: tuple[Grey, list[Group]]) -> None:
    picture, digits = noughts
    traits = digits[0].traits.copy()
    traits[5] = 0.8 * traits[0] * traits[1]  # so much of its box is filled
    assert is_on_paper(picture, [digits[0]._replace(traits=traits)], dark=False)
    assert not is_ink(picture, [digits[0]._replace(traits=traits)], dark=False)


@pytest.mark.parametrize("box", [(40, 0, 80, 100), (0, 0, 280, 100)])
def test_what_fills_the_picture_has_nothing_around_it(noughts: tuple[Grey, list[Group]], box: Box) -> None:
    picture, (digit, *_) = noughts
    assert not is_on_paper(picture, [digit._replace(box=box)], dark=False)
