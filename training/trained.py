"""What each way of training gives back: weights and history, whatever made them."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.network import Weights, forward
from training.novelty import Novelty


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
    """`weights`: float32 (784, 512), (512,), (512, 10), (10,), with `temperature`, if there is one, folded in.

    `novelty`: the judgement whether a picture is a digit at all.
    """

    weights: Weights
    history: tuple[Epoch, ...]
    temperature: float | None = None
    novelty: Novelty | None = None

    def answer(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the exported model must answer to `pixels`, float32 (N, 784) in 0..1: probabilities, float32 (N, 10).

        Where the novelty is judged, it stands in an eleventh column.
        """
        probabilities = forward(self.weights, pixels)
        return probabilities if self.novelty is None else np.column_stack([probabilities, self.novelty.score(pixels)])
