"""A digit of which only the outline is drawn."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.images.fit import fit
from app.images.hollow import filled
from app.images.ink import find_ink
from app.images.parts import find_digit
from tests.real_pictures import drawing
from training.dataset import Dataset

Grey = NDArray[np.uint8]


def outlined(image: Grey, line: int) -> tuple[Grey, Grey]:
    """A digit of MNIST's in black on white, 320x320, as it is and as an outline of so many pixels."""
    large = cv2.resize(image, (280, 280), interpolation=cv2.INTER_CUBIC)
    shape = cv2.copyMakeBorder(cv2.GaussianBlur(large, (0, 0), 3), 20, 20, 20, 20, cv2.BORDER_CONSTANT)
    whole = cv2.threshold(shape, 100, 255, cv2.THRESH_BINARY)[1]
    pen = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (line, line))
    return 255 - whole, 255 - cv2.morphologyEx(whole, cv2.MORPH_GRADIENT, pen)


@pytest.mark.parametrize("line", [3, 5, 7])
def test_an_outlined_digit_is_prepared_as_the_whole(mnist: Dataset, line: int) -> None:
    alike = 0
    for image in mnist.x_test[:100]:
        whole, outline = (fit(each).image for each in outlined(image, line))
        alike += cv2.matchTemplate(outline, whole[1:-1, 1:-1], cv2.TM_CCOEFF_NORMED).max() > 0.75
    assert alike > 92


def test_a_mask_that_lies_in_memory_by_columns_is_filled_as_any_other(mnist: Dataset) -> None:
    """As NumPy has it after some of its operations."""
    for image in mnist.x_test[:10]:
        ink = find_ink(outlined(image, 5)[1])
        digit = find_digit(ink)
        assert digit is not None
        by_columns = digit._replace(mask=np.asfortranarray(digit.mask))
        assert np.array_equal(filled(ink, by_columns)[1].mask, filled(ink, digit)[1].mask)


def test_no_digit_that_is_written_is_taken_for_an_outline(mnist: Dataset) -> None:
    for image in mnist.x_test[:1000]:
        ink = find_ink(255 - drawing(image))
        digit = find_digit(ink)
        assert digit is not None
        assert filled(ink, digit) == (ink, digit)


def test_a_narrow_zero_stays_hollow() -> None:
    page = np.full((200, 200), 255, np.uint8)
    cv2.ellipse(page, (100, 100), (30, 70), 10, 0, 360, 0, 9, cv2.LINE_AA)
    ink = find_ink(page)
    digit = find_digit(ink)
    assert digit is not None
    assert filled(ink, digit)[1] is digit
