"""Distortions: digits stay digits, each picture gets its own, and the smooth fields are what filtered noise is."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.images.normalize import Grey
from training.augment import AT_ONCE, Distortion, _fields, distort
from training.dataset import Dataset

STILL = Distortion(rotation=0, scale=0, shear=0, shift=0, elastic=0, stroke=0)


@pytest.fixture(scope="module")
def digits(mnist: Dataset) -> Grey:
    return mnist.x_train[:200]


def moved(digits: Grey, by: Distortion, seed: int = 1) -> Grey:
    return distort(digits, by, np.random.default_rng(seed))


def test_without_any_distortion_pictures_stay_as_they_are(digits: Grey) -> None:
    assert np.array_equal(moved(digits, STILL), digits)


def test_pictures_are_distorted_each_in_its_own_way_and_alike_for_one_seed(digits: Grey) -> None:
    same = np.repeat(digits[:1], 50, axis=0)
    forms = moved(same, Distortion())
    assert forms.dtype == np.uint8
    assert forms.shape == same.shape
    assert len({form.tobytes() for form in forms}) == len(forms)
    assert np.array_equal(forms, moved(same, Distortion()))
    assert not np.array_equal(forms, moved(same, Distortion(), seed=2))


def test_no_picture_is_mixed_up_with_its_neighbour(digits: Grey) -> None:
    """They lie on one sheet; what comes from beyond a picture's edge must come from its own edge, which is black."""
    sheet = np.zeros((40, 28, 28), np.uint8)
    sheet[::2] = 255
    forms = moved(sheet, Distortion(shift=6, elastic=100, stroke=0))
    assert (forms[::2] == 255).all()
    assert (forms[1::2] == 0).all()


def test_strokes_do_not_grow_into_the_next_picture() -> None:
    sheet = np.zeros((40, 28, 28), np.uint8)
    sheet[::2] = 255
    forms = moved(sheet, Distortion(0, 0, 0, 0, 0, 4, 1))
    assert (forms[1::2] == 0).all()


def test_more_pictures_than_fit_on_a_sheet_keep_their_order(mnist: Dataset) -> None:
    digits = mnist.x_train[: AT_ONCE + 5]
    assert np.array_equal(moved(digits, STILL), digits)
    assert moved(digits[:0], Distortion()).shape == (0, 28, 28)


def test_a_shift_moves_by_at_most_so_many_pixels(digits: Grey) -> None:
    def centre(images: Grey) -> NDArray[np.float64]:
        places = np.arange(28)
        ink = images.astype(np.float64)
        centres: NDArray[np.float64] = (ink.sum(axis=1) @ places) / ink.sum(axis=(1, 2))
        return centres

    gone = centre(moved(digits, Distortion(0, 0, 0, 1.5, 0, 4, 0))) - centre(digits)
    assert 1.0 < np.abs(gone).max() < 1.6


def test_strokes_become_thicker_and_thinner(digits: Grey) -> None:
    ink = moved(digits, Distortion(0, 0, 0, 0, 0, 4, 0.3)).sum(axis=(1, 2)) / digits.sum(axis=(1, 2), dtype=np.int64)
    assert ink.min() < 0.9
    assert ink.max() > 1.1


def test_the_smooth_fields_are_noise_under_a_gaussian_filter() -> None:
    """The same variance and the same correlation between neighbours as filtering gives, away from the edges."""
    random = np.random.default_rng(0)
    fast = (random.standard_normal((3000, 49)) @ _fields(4.0)).reshape(-1, 28, 28)
    noise = random.standard_normal((3000, 64, 64)).astype(np.float32)
    slow = np.stack([cv2.GaussianBlur(each, (0, 0), 4.0) for each in noise])[:, 18:46, 18:46]
    assert fast.std() == pytest.approx(slow.std(), rel=0.03)
    for far in (1, 4, 8):
        expected = (slow[:, 14, 10] * slow[:, 14, 10 + far]).mean() / slow.var()
        assert (fast[:, 14, 10] * fast[:, 14, 10 + far]).mean() / fast.var() == pytest.approx(expected, abs=0.08)
