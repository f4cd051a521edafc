"""What isn't a digit: learnt on a slice, it knows kinds of picture that it was never shown."""

import numpy as np
import pytest

from app.images.normalize import normalize
from training.augment import Distortion
from training.dataset import Dataset
from training.novelty import Novelty, learn_novelty


@pytest.fixture(scope="module")
def novelty(mnist: Dataset) -> Novelty:
    return learn_novelty(mnist.x_train[:3000], mnist.x_train[-2000:], Distortion(), 2000, 0.01, seed=1)


def test_of_digits_held_out_so_many_lie_above_the_threshold(novelty: Novelty, mnist: Dataset) -> None:
    assert (novelty.score(normalize(mnist.x_train[-2000:])) > novelty.threshold).mean() == pytest.approx(
        0.01, abs=0.001
    )


def test_new_digits_lie_below_and_what_is_none_above(novelty: Novelty, mnist: Dataset) -> None:
    """Stripes and a chessboard: neither is among the kinds it learns from."""
    stripes = np.zeros((100, 28, 28), np.uint8)
    stripes[:, ::4] = stripes[:, 1::4] = 255
    chess = (np.indices((28, 28)).sum(axis=0) // 4 % 2 * 255).astype(np.uint8)[np.newaxis]
    assert (novelty.score(normalize(mnist.x_test[:2000])) > novelty.threshold).mean() < 0.03
    assert (novelty.score(normalize(stripes)) > novelty.threshold).all()
    assert (novelty.score(normalize(chess)) > novelty.threshold).all()


def test_a_seed_gives_the_same_bytes(novelty: Novelty, mnist: Dataset) -> None:
    again = learn_novelty(mnist.x_train[:3000], mnist.x_train[-2000:], Distortion(), 2000, 0.01, seed=1)
    assert [each.tobytes() for each in again.weights] == [each.tobytes() for each in novelty.weights]
    assert again.threshold == novelty.threshold
