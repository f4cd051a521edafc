"""What each way of training gives back: weights and history, whatever made them."""

from dataclasses import dataclass
from typing import NamedTuple

from training.network import Weights
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
