"""Figures of a handful of pictures, which can be checked by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray

from app.images.normalize import normalize
from app.model.model import Model
from training.dataset import Dataset
from training.evaluation import Bin, ClassFigures, Evaluation, wilson


def sure(*answers: tuple[int, float]) -> NDArray[np.float32]:
    """Probabilities, one row for each (class, confidence); what is left is shared by the others."""
    rows = [[share if each == digit else (1 - share) / 9 for each in range(10)] for digit, share in answers]
    return np.array(rows, np.float32)


@pytest.fixture
def five() -> Evaluation:
    """Right: a sure 0, an unsure 0, a fairly sure 1. Wrong: a 1 read as 0, and a 2 read as 0 with more confidence."""
    probabilities = sure((0, 0.99), (0, 0.55), (1, 0.9), (0, 0.6), (0, 0.95))
    return Evaluation(probabilities, np.array([0, 0, 1, 1, 2], np.uint8))


def test_accuracy_is_the_share_that_is_right(five: Evaluation) -> None:
    assert five.right.tolist() == [True, True, True, False, False]
    assert five.accuracy == pytest.approx(0.6)
    assert five.confidence == pytest.approx([0.99, 0.55, 0.9, 0.6, 0.95])


def test_a_row_of_the_confusion_is_a_true_class_and_a_column_an_answer(five: Evaluation) -> None:
    expected = np.zeros((10, 10), int)
    expected[0, 0], expected[1, 0], expected[1, 1], expected[2, 0] = 2, 1, 1, 1
    assert (five.confusion == expected).all()


def test_precision_and_recall_are_of_one_class_each_and_none_of_nothing(five: Evaluation) -> None:
    assert five.per_class[0] == ClassFigures(2, 0.5, 1.0)
    assert five.per_class[1] == ClassFigures(2, 1.0, 0.5)
    assert five.per_class[2] == ClassFigures(1, None, 0.0)
    assert five.per_class[9] == ClassFigures(0, None, None)


def test_the_worst_mistakes_are_the_most_confident_ones(five: Evaluation) -> None:
    assert five.worst.tolist() == [4, 3]


def test_a_bin_has_the_means_of_its_pictures_and_empty_bins_are_left_out() -> None:
    evaluation = Evaluation(sure((0, 0.8), (0, 0.81), (0, 1.0)), np.array([0, 1, 0], np.uint8))
    low, high = evaluation.calibration
    assert low == pytest.approx(Bin(12 / 15, 13 / 15, 2, 0.805, 0.5))
    assert high == pytest.approx(Bin(14 / 15, 1, 1, 1, 1))


def test_a_probability_a_little_above_1_is_in_the_last_bin() -> None:
    above = Evaluation(np.eye(10, dtype=np.float32) * np.float32(1.0000001), np.arange(10, dtype=np.uint8))
    assert [each.pictures for each in above.calibration] == [10]


def test_the_calibration_error_weighs_each_bin_by_its_pictures(five: Evaluation) -> None:
    # bins: 0.55 and 0.6 (0.6 is 9/15 in decimals and a little more in float32), 0.9, and 0.95 with 0.99
    gaps = [0.55 - 1, 0.6 - 0, 0.9 - 1, 0.95 + 0.99 - 1]
    assert five.calibration_error == pytest.approx(sum(map(abs, gaps)) / 5)
    parts = [each.pictures * abs(each.accuracy - each.confidence) for each in five.calibration]
    assert five.calibration_error == pytest.approx(sum(parts) / 5)


def test_the_loss_is_that_of_the_true_class_and_finite_for_a_zero(five: Evaluation) -> None:
    of_truth = [0.99, 0.55, 0.9, 0.4 / 9, 0.05 / 9]
    assert five.log_loss == pytest.approx(-np.log(of_truth).mean(), rel=1e-5)
    assert np.isfinite(Evaluation(np.eye(10, dtype=np.float32)[:1], np.array([1], np.uint8)).log_loss)


@pytest.mark.parametrize(("right", "count"), [(9792, 10_000), (1, 7), (10, 10), (0, 10)])
def test_what_was_seen_is_1_96_deviations_from_the_ends_of_its_interval(right: int, count: int) -> None:
    low, high = wilson(right, count)
    for end in (low, high):
        assert (right / count - end) ** 2 == pytest.approx(1.96**2 * end * (1 - end) / count, rel=1e-4, abs=1e-12)
    assert 0 <= low < high <= 1


def test_the_shipped_version_is_as_good_as_its_metadata_says(shipped: Model, mnist: Dataset) -> None:
    evaluation = Evaluation(shipped(normalize(mnist.x_test)), mnist.y_test)
    figures = shipped.metadata.document["metrics"]
    assert evaluation.accuracy == pytest.approx(figures["test_accuracy"], abs=1e-6)
    assert evaluation.log_loss == pytest.approx(figures["test_loss"], abs=1e-4)
    low, high = evaluation.interval
    assert low < evaluation.accuracy < high
