"""The temperature: found again where it is known, and folded in without changing an answer."""

import numpy as np
import pytest

from training.calibration import find_temperature, fold
from training.network import forward


@pytest.mark.parametrize("known", [0.7, 1.0, 1.5])
def test_the_temperature_is_found_that_makes_the_truth_likely(known: float) -> None:
    random = np.random.default_rng(0)
    logits = random.normal(0, 3, (20_000, 10))
    honest = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = (honest.cumsum(axis=1) > random.random((len(honest), 1))).argmax(axis=1).astype(np.uint8)
    too_sure = np.exp(known * logits) / np.exp(known * logits).sum(axis=1, keepdims=True)
    assert find_temperature(too_sure.astype(np.float32), truth) == pytest.approx(known, rel=0.05)


def test_probabilities_of_zero_are_borne() -> None:
    certain = np.eye(10, dtype=np.float32)
    assert np.isfinite(find_temperature(certain, np.arange(10, dtype=np.uint8)))


def test_a_folded_temperature_divides_the_logits_and_changes_no_answer() -> None:
    random = np.random.default_rng(1)
    weights = [random.normal(0, 0.1, shape).astype(np.float32) for shape in ((784, 512), (512,), (512, 10), (10,))]
    pixels = random.random((50, 784), np.float32)
    before, after = forward(weights, pixels), forward(fold(weights, 2.0), pixels)
    assert np.array_equal(before.argmax(axis=1), after.argmax(axis=1))
    root = np.sqrt(before)
    assert np.abs(after - root / root.sum(axis=1, keepdims=True)).max() < 1e-5
