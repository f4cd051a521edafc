"""The network: 784 → Dense 512 relu → Dense 10 softmax, in Keras."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
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


def pixels_of(images: tf.Tensor) -> tf.Tensor:
    """uint8 (N, 28, 28) → float32 (N, 784) in 0..1: `app.images.normalize` in TensorFlow; tests hold them together."""
    return tf.reshape(tf.cast(images, tf.float32) / 255.0, (-1, PIXELS))


def variables_of(network: keras.Sequential, optimizer: Any) -> list[Any]:
    """All that the next step depends on, beside the pictures."""
    return [*network.trainable_variables, *optimizer.variables]


def arrays_of(variables: Iterable[Any]) -> dict[str, NDArray[Any]]:
    """The values of `variables`, by their places."""
    return {str(place): each.numpy() for place, each in enumerate(variables)}


def put(arrays: Mapping[str, NDArray[Any]], variables: Sequence[Any]) -> None:
    """Assigns to `variables` what `arrays_of` gave, by a copy.

    TensorFlow takes over the memory of an aligned array as it is, and a step compiled by XLA gives the memory of a
    variable that it replaces back to an allocator that it isn't from: once in a while, "corrupted size vs. prev_size".
    """
    for place, variable in enumerate(variables):
        variable.assign(tf.raw_ops.DeepCopy(x=arrays[str(place)]))


def forward(weights: Weights, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the network with `weights` answers to `pixels`, float32 (N, 784) in 0..1: probabilities, float32 (N, 10)."""
    w1, b1, w2, b2 = weights
    logits = np.maximum(pixels @ w1 + b1, 0) @ w2 + b2
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: NDArray[np.float32] = exponentials / exponentials.sum(axis=1, keepdims=True)
    return probabilities
