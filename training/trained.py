"""What each way of training gives back: weights and history, whatever made them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.network import Weights

Predict = Callable[[NDArray[np.float32]], NDArray[np.float32]]


class Epoch(NamedTuple):
    """One pass over the training pictures: loss (nats a picture) and accuracy (0..1) while it was trained, and of the
    pictures held out, after it; None when none are.
    """

    loss: float
    accuracy: float
    held_out_loss: float | None = None
    held_out_accuracy: float | None = None


@dataclass(frozen=True)
class Trained:
    """`weights`: float32 (784, 512), (512,), (512, 10), (10,). `predict`: the network as it was trained, float32
    (N, 784) in 0..1 → probabilities, float32 (N, 10); the exported model is compared with it.
    """

    weights: Weights
    history: tuple[Epoch, ...]
    predict: Predict
