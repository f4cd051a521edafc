"""What goes into a model and what comes out, and when two answers are the same."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]
Probabilities = NDArray[np.float32]
Rows = NDArray[np.float32]  # one for each picture: its probabilities, and its novelty behind them where that is judged
Run = Callable[[Pixels], Rows]

PIXELS = 784
BATCHES = (1, 2, 64)  # that are tried first: TensorFlow makes up its mind about a size the first time it sees it
TOLERANCE = 1e-5  # between two ways through one model


def difference(rows: Rows, others: Rows) -> float:
    """The largest between answers to the same pictures; of what is larger than 1, as a novelty may be, the share."""
    return float((np.abs(rows - others) / np.maximum(np.abs(others), 1)).max())
