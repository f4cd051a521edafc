"""The network: 784 → Dense 512 relu → Dense 10 softmax, in Keras."""

import keras
import numpy as np
from numpy.typing import NDArray

from app.images.normalize import PIXELS
from app.model.metadata import CLASSES

HIDDEN = 512

Weights = list[NDArray[np.float32]]


def build_network() -> keras.Sequential:
    """The multilayer perceptron, not yet compiled: float32 (N, 784) in 0..1 → probabilities, float32 (N, 10)."""
    return keras.Sequential(
        [
            keras.Input((PIXELS,)),
            keras.layers.Dense(HIDDEN, activation="relu", name="hidden"),
            keras.layers.Dense(CLASSES, activation="softmax", name="output"),
        ]
    )


def forward(weights: Weights, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the network with `weights` answers to `pixels`, float32 (N, 784) in 0..1: probabilities, float32 (N, 10)."""
    w1, b1, w2, b2 = weights
    logits = np.maximum(pixels @ w1 + b1, 0) @ w2 + b2
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: NDArray[np.float32] = exponentials / exponentials.sum(axis=1, keepdims=True)
    return probabilities
