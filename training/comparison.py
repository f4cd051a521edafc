"""Two models on the same pictures: which is better, and how sure that is."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from training.evaluation import Z_95, Interval


@dataclass(frozen=True)
class Comparison:
    """Of `pictures`, so many, `only_first` are read right by the first model alone, `only_second` by the other alone.

    What both read right, or both wrong, says nothing about the difference, so that it is known far better than from two
    accuracies with an uncertainty each. Q. McNemar, Note on the sampling error of the difference between correlated
    proportions or percentages, Psychometrika 12, 1947.
    """

    pictures: int
    only_first: int
    only_second: int

    @property
    def difference(self) -> float:
        """The second's accuracy minus the first's, -1..1."""
        return (self.only_second - self.only_first) / self.pictures

    @property
    def interval(self) -> Interval:
        """The 95% interval of the difference.

        With half a picture more in each of the four cells, without which it is too narrow when few differ: A. Agresti,
        Y. Min, Simple improved confidence intervals for comparing matched proportions, Statistics in Medicine 24, 2005.
        """
        pictures, apart = self.pictures + 2, self.only_second - self.only_first
        error = sqrt(self.only_first + self.only_second + 1 - apart**2 / pictures) / pictures
        return apart / pictures - Z_95 * error, apart / pictures + Z_95 * error

    @property
    def p(self) -> float:
        """How probable so uneven a split or more is when both are equally good: McNemar's test, exact, two-sided."""
        apart, fewer = self.only_first + self.only_second, min(self.only_first, self.only_second)
        ways = total = 1  # in which none, one, two ... of those apart fall to the side of the fewer: binomials
        for each in range(fewer):
            ways = ways * (apart - each) // (each + 1)
            total += ways
        return min(1.0, 2 * total / (1 << apart))

    @property
    def second_is_worse(self) -> bool:
        """By more than its uncertainty."""
        return self.interval[1] < 0


def compare(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Comparison:
    """Both (N,): whether each picture was read right."""
    return Comparison(len(first), int((first & ~second).sum()), int((second & ~first).sum()))


def in_points(comparison: Comparison) -> str:
    """The difference as people read it: +0.12 points (95% interval -0.05 to +0.29)."""
    low, high = comparison.interval
    return f"{100 * comparison.difference:+.2f} points (95% interval {100 * low:+.2f} to {100 * high:+.2f})"
