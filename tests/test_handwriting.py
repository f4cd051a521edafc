"""Digits that are drawn: all forms of all digits, prepared as any picture is."""

import numpy as np
import pytest

from app.images.normalize import normalize
from app.model import saved_model
from tests.support import SHIPPED
from training.handwriting import FORMS, draw, smooth, write_digits


@pytest.mark.parametrize("digit", range(10))
def test_every_form_is_drawn_within_its_sheet(digit: int) -> None:
    random = np.random.default_rng(digit)
    for form in FORMS[digit]:
        sheet = draw(form, random)
        assert sheet.max() == 255
        edges = np.concatenate([sheet[0], sheet[-1], sheet[:, 0], sheet[:, -1]])
        assert not edges.any()


def test_no_two_are_alike_and_a_seed_gives_the_same() -> None:
    first, again = (write_digits(60, np.random.default_rng(4)) for _ in range(2))
    assert np.array_equal(first.x, again.x)
    assert np.array_equal(first.y, again.y)
    assert first.x.shape == (60, 28, 28)
    assert first.x.dtype == first.y.dtype == np.uint8
    assert len({image.tobytes() for image in first.x}) == 60


def test_most_are_read_right_by_a_network_that_never_saw_one() -> None:
    drawn = write_digits(400, np.random.default_rng(5))
    right = saved_model.load(SHIPPED / "1")(normalize(drawn.x)).argmax(axis=1) == drawn.y
    assert right.mean() > 0.6  # the book's network: 0.73; more would leave nothing to learn from them


def test_a_stroke_is_smooth_through_its_points() -> None:
    points = np.array([(0.0, 0.0), (0.5, 1.0), (1.0, 0.0)])
    way = smooth(points, steps=10)
    assert len(way) == 21
    assert np.allclose(way[[0, 10, 20]], points)
    assert np.linalg.norm(np.diff(way, axis=0), axis=1).max() < 0.2
    assert np.array_equal(smooth(points[:2]), points[:2])
