"""Pictures that are left as they are: whether one alone, several or many are read at once changes nothing."""

import numpy as np
import pytest
from numpy.typing import NDArray

from app.images.plain_png import unpacked
from app.images.untouched import FEW, read_alone, read_together
from tests.support import band, encode
from training.dataset import Dataset


def scanlines_of(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    rows = unpacked(encode(image))
    assert rows is not None
    return np.frombuffer(rows, np.uint8)[np.newaxis]


@pytest.mark.parametrize("count", [1, FEW])
def test_alone_it_is_what_it_is_among_others(mnist: Dataset, count: int) -> None:
    shifted = np.roll(mnist.x_test[0], 3, axis=1)
    for image, is_left in [(mnist.x_test[0], True), (mnist.x_test[1], True), (shifted, False), (band(1), False)]:
        scanlines = scanlines_of(image)
        alone = read_alone(scanlines[0])
        together, ready = read_together(np.repeat(scanlines, count, axis=0))
        assert ready.tolist() == [is_left] * count
        assert (alone is not None) == is_left
        assert alone is None or np.array_equal(alone, together[0])


@pytest.mark.parametrize("count", [1, FEW])
def test_a_filter_that_png_does_not_know_is_left_to_others(mnist: Dataset, count: int) -> None:
    scanlines = scanlines_of(mnist.x_test[0]).copy()
    scanlines[0, 29 * 20] = 5
    assert read_alone(scanlines[0]) is None
    assert not read_together(np.repeat(scanlines, count, axis=0))[1].any()
