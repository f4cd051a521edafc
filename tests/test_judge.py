"""The judge of rows: it learns from composed rows what is a digit, and the shipped one has."""

import numpy as np
import pytest
from numpy.typing import NDArray

from app.images.choice import JUDGE
from training.dataset import Dataset
from training.judge import HIDDEN, examples, fit

Floats = NDArray[np.float32]


@pytest.fixture(scope="module")
def rows(mnist: Dataset) -> tuple[Floats, Floats]:
    return examples(mnist, 40, np.random.default_rng(3))


def share_right(layers: list[Floats], inputs: Floats, labels: Floats) -> float:
    hidden_weights, hidden_bias, weights, bias = layers
    odds = np.maximum(inputs @ hidden_weights + hidden_bias, 0) @ weights + bias
    return float(((odds > 0) == (labels > 0.5)).mean())


def test_rows_have_digits_and_pieces_of_digits_to_learn_from(rows: tuple[Floats, Floats]) -> None:
    inputs, labels = rows
    assert len(inputs) == len(labels) > 200
    assert set(labels.tolist()) == {0.0, 1.0}
    assert np.isfinite(inputs).all()


def test_a_judge_learns_from_a_few_rows(rows: tuple[Floats, Floats]) -> None:
    inputs, labels = rows
    always = max(labels.mean(), 1 - labels.mean())  # right so often is who always says the same
    assert share_right(fit(inputs, labels, np.random.default_rng(0)), inputs, labels) > always + 0.05


def test_the_shipped_judge_knows_digits_from_pieces(rows: tuple[Floats, Floats]) -> None:
    with np.load(JUDGE) as arrays:
        layers = [arrays[name].astype(np.float32) for name in ("hidden_weights", "hidden_bias", "weights", "bias")]
    assert layers[1].shape == (HIDDEN,)
    assert share_right(layers, *rows) > 0.9
