"""Weights → a SavedModel with the signatures that the service calls."""

from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from app.images.normalize import PIXELS, SIDE
from training.network import Weights, pixels_of


class DigitsModule(tf.Module):
    """relu(x·W1 + b1)·W2 + b2 → softmax, with signatures of its own.

    A module rather than the Keras model, so that the names of inputs and outputs are ours whatever made the
    weights, and the file holds their variables and nothing of an optimizer.
    """

    def __init__(self, weights: Weights) -> None:
        """`weights`: float32 (784, 512), (512,), (512, 10), (10,)."""
        super().__init__()
        self.w1, self.b1, self.w2, self.b2 = map(_variable, weights)

    @tf.function(input_signature=[tf.TensorSpec([None, PIXELS], tf.float32, "pixels")])
    def pixels(self, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        """float32 (N, 784) in 0..1 → float32 (N, 10)."""
        hidden = tf.nn.relu(tf.matmul(pixels, self.w1) + self.b1)
        return {"probabilities": tf.nn.softmax(tf.matmul(hidden, self.w2) + self.b2)}

    @tf.function(input_signature=[tf.TensorSpec([None, SIDE, SIDE], tf.uint8, "images")])
    def images(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """uint8 (N, 28, 28), white ink on black → the classes, int64 (N,), and float32 (N, 10)."""
        probabilities = self.pixels(pixels_of(images))["probabilities"]
        return {"digits": tf.argmax(probabilities, axis=1), "probabilities": probabilities}


class JudgingModule(DigitsModule):
    """One that also judges whether there is a digit at all."""

    def __init__(self, weights: Weights, novelty: Weights) -> None:
        """`novelty`: float32 (784, H), (H,), (H, 1), (1,)."""
        super().__init__(weights)
        self.of_novelty = [_variable(each) for each in novelty]

    @tf.function(input_signature=[tf.TensorSpec([None, PIXELS], tf.float32, "pixels")])
    def judged(self, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        """float32 (N, 784) in 0..1 → float32 (N, 11): the probabilities, and the log-odds that it isn't a digit.

        One tensor, because the service takes 64 rows out of one in 40 µs less than out of two.
        """
        w1, b1, w2, b2 = self.of_novelty
        novelty = tf.matmul(tf.nn.relu(tf.matmul(pixels, w1) + b1), w2) + b2
        return {"judged": tf.concat([self.pixels(pixels)["probabilities"], novelty], axis=1)}


def _variable(value: NDArray[np.float32]) -> tf.Variable:
    return tf.Variable(value, trainable=False)


def export(weights: Weights, folder: Path, novelty: Weights | None = None) -> None:
    """Writes saved_model.pb and variables/ into `folder`. Without `novelty`, there is no signature `judged`."""
    module = JudgingModule(weights, novelty) if novelty else DigitsModule(weights)
    signatures = {"serving_default": module.pixels, "images": module.images}
    if isinstance(module, JudgingModule):
        signatures["judged"] = module.judged
    tf.saved_model.save(module, str(folder), signatures=signatures)
