"""How good a network is on pictures whose classes are known, and how far what it says of itself can be believed."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.images.normalize import normalize
from app.model.metadata import CLASSES
from training.dataset import Labelled
from training.network import Weights, forward

CALIBRATION_BINS = 15
DRAWS = 400  # enough for the 95% quantile of what chance does, to two digits
Z_95 = 1.959964  # standard deviations on either side of the mean that hold 95% of a normal distribution

Interval = tuple[float, float]


class ClassFigures(NamedTuple):
    """`pictures`: how many are of the class. `recall`: the share of them that were read as it. `precision`: the share
    of those read as it that are of it. Both 0..1, and None where there is nothing to divide by.
    """

    pictures: int
    precision: float | None
    recall: float | None


class Bin(NamedTuple):
    """The `pictures`, so many, whose confidence is above `low` and at most `high`: their mean confidence, and the share
    of them that was read right.
    """

    low: float
    high: float
    pictures: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Evaluation:
    """`probabilities`: float32 (N, 10). `truth`: the classes, uint8 (N,). N is at least 1."""

    probabilities: NDArray[np.float32]
    truth: NDArray[np.uint8]

    @cached_property
    def answers(self) -> NDArray[np.int64]:
        """The class of each picture as read, (N,)."""
        answers: NDArray[np.int64] = self.probabilities.argmax(axis=1)
        return answers

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        """Whether each picture was read right, (N,)."""
        right: NDArray[np.bool_] = self.answers == self.truth
        return right

    @cached_property
    def confidence(self) -> NDArray[np.float64]:
        """The probability of each picture's answer, (N,), 0..1."""
        confidence: NDArray[np.float64] = self.probabilities.max(axis=1).astype(np.float64)
        return confidence

    @property
    def accuracy(self) -> float:
        """The share of pictures read right, 0..1."""
        return float(self.right.mean())

    @property
    def interval(self) -> Interval:
        """The 95% interval of the accuracy: where that of all such pictures lies, as far as these can tell."""
        return wilson(int(self.right.sum()), len(self.right))

    @cached_property
    def losses(self) -> NDArray[np.float64]:
        """-ln(probability of the true class) of each picture, (N,), in nats."""
        of_truth = self.probabilities[np.arange(len(self.truth)), self.truth].astype(np.float64)
        losses: NDArray[np.float64] = -np.log(np.maximum(of_truth, np.finfo(np.float32).tiny))  # ln(0) has no mean
        return losses

    @property
    def log_loss(self) -> float:
        """The mean of `losses`, in nats a picture."""
        return float(self.losses.mean())

    @cached_property
    def confusion(self) -> NDArray[np.int64]:
        """How many pictures of each class (row) were read as each class (column), (10, 10)."""
        cells = np.bincount(self.truth * np.int64(CLASSES) + self.answers, minlength=CLASSES**2)
        return cells.reshape(CLASSES, CLASSES)

    @property
    def per_class(self) -> tuple[ClassFigures, ...]:
        """The figures of each class, in their order."""
        right, of_class, read_as = self.confusion.diagonal(), self.confusion.sum(axis=1), self.confusion.sum(axis=0)
        return tuple(
            ClassFigures(int(of_class[each]), _share(right[each], read_as[each]), _share(right[each], of_class[each]))
            for each in range(CLASSES)
        )

    @property
    def worst(self) -> NDArray[np.int64]:
        """Which pictures were read wrong, the most confident first."""
        wrong = np.flatnonzero(~self.right)
        return wrong[np.argsort(-self.confidence[wrong], kind="stable")]

    @property
    def calibration(self) -> tuple[Bin, ...]:
        """Those of the 15 bins of equal width in which there are pictures, the least confident first."""
        return tuple(_bins(self.confidence, self.right))

    @cached_property
    def error_by_chance(self) -> float:
        """The calibration error that 1 in 20 draws exceeds when each picture is right with exactly its confidence.

        J. Bröcker, L. A. Smith, Increasing the Reliability of Reliability Diagrams, Weather and Forecasting 22, 2007.
        """
        random = np.random.default_rng(0)  # the same probabilities, the same error
        draws = (random.random(len(self.confidence)) < self.confidence for _ in range(DRAWS))
        return float(np.quantile([expected_calibration_error(self.confidence, right) for right in draws], 0.95))

    @property
    def calibration_error(self) -> float:
        """The expected calibration error, 0..1: how far confidence is from accuracy, over 15 bins.

        C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, On Calibration of Modern Neural Networks, ICML 2017.
        """
        return expected_calibration_error(self.confidence, self.right)


def loss_and_accuracy(weights: Weights, pictures: Labelled) -> tuple[float, float] | tuple[None, None]:
    """Of the network with `weights` on `pictures`, which it doesn't learn from; None of both, when there are none."""
    if not len(pictures.x):
        return None, None
    evaluation = Evaluation(forward(weights, normalize(pictures.x)), pictures.y)
    return evaluation.log_loss, evaluation.accuracy


def expected_calibration_error(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """The mean of |accuracy - confidence| of the bins, each by its share of the pictures. Both (N,)."""
    gaps = np.bincount(_bin_of(confidence), right - confidence, CALIBRATION_BINS)
    return float(np.abs(gaps).sum() / len(right))


def wilson(right: int, count: int) -> Interval:
    """The 95% interval of a share of which `right` of `count` were seen; it stays within 0..1 and has a width at 100%.

    E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22, 1927.
    """
    share, square = right / count, Z_95**2 / count
    middle = share + square / 2
    reach = Z_95 * sqrt((share * (1 - share) + square / 4) / count)
    return max(0.0, (middle - reach) / (1 + square)), min(1.0, (middle + reach) / (1 + square))


def _share(part: np.int64, whole: np.int64) -> float | None:
    return float(part / whole) if whole else None


def _bin_of(confidence: NDArray[np.float64]) -> NDArray[np.int64]:
    """The number of each picture's bin, (N,); float32 may make a probability a little more than 1."""
    return np.clip(np.ceil(confidence * CALIBRATION_BINS).astype(np.int64) - 1, 0, CALIBRATION_BINS - 1)


def _bins(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> Iterator[Bin]:
    places = _bin_of(confidence)
    for number in range(CALIBRATION_BINS):
        inside = places == number
        if inside.any():
            low, high = number / CALIBRATION_BINS, (number + 1) / CALIBRATION_BINS
            mean, share = float(confidence[inside].mean()), float(right[inside].mean())
            yield Bin(low, high, int(inside.sum()), mean, share)
