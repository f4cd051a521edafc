"""Pictures that aren't digits: of every kind, none empty, none the same."""

import numpy as np
import pytest

from training.dataset import Dataset
from training.oddities import KINDS, SHARES, draw_oddities


def test_a_seed_gives_the_same_and_each_is_another(mnist: Dataset) -> None:
    first, again = (draw_oddities(200, mnist.x_train[:100], np.random.default_rng(1)) for _ in range(2))
    assert np.array_equal(first, again)
    assert first.shape == (200, 28, 28)
    assert first.dtype == np.uint8
    assert len({image.tobytes() for image in first}) > 195
    assert np.ptp(first, axis=(1, 2)).min() > 0


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_can_be_drawn(kind: object, mnist: Dataset) -> None:
    assert callable(kind)
    random = np.random.default_rng(2)
    for _ in range(30):
        drawn = kind(mnist.x_train[:100], random)
        assert drawn.dtype == np.uint8
        assert drawn.shape in ((28, 28), (112, 112))


def test_the_shares_are_of_all_kinds() -> None:
    assert len(SHARES) == len(KINDS)
    assert sum(SHARES) == pytest.approx(1)
