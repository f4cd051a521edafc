"""How good a network is on pictures whose classes are known."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

CALIBRATION_BINS = 15


@dataclass(frozen=True)
class Evaluation:
    """`probabilities`: float32 (N, 10). `truth`: the classes, uint8 (N,)."""

    probabilities: NDArray[np.float32]
    truth: NDArray[np.uint8]

    @cached_property
    def answers(self) -> NDArray[np.int64]:
        """The class of each picture as read, (N,)."""
        return self.probabilities.argmax(axis=1)

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        """Whether each picture was read right, (N,)."""
        return self.answers == self.truth

    @property
    def accuracy(self) -> float:
        """The share of pictures read right, 0..1."""
        return float(self.right.mean())
