"""The SavedModel under test, for every contender that has no loader of its own."""

import os
from collections.abc import Callable
from typing import Any

import numpy as np


def load() -> Callable[[Any], Any]:
    """A function: float32 (N, 784) in 0..1 → float32 (N, 10), through `serving_default` in $SAVED_MODEL."""
    import tensorflow as tf  # takes two seconds; the processes that only hand requests on never need it

    model = tf.saved_model.load(os.environ["SAVED_MODEL"])
    signature = model.signatures["serving_default"]

    def call(pixels: Any) -> Any:
        return signature(pixels=tf.constant(pixels))["probabilities"].numpy()

    call.model = model  # type: ignore[attr-defined]  # the variables live as long as this does
    return call


def answer(probabilities: Any) -> dict[str, Any]:
    """(10,) → the two fields that every contender answers with."""
    return {"digit": int(np.argmax(probabilities)), "probabilities": probabilities.tolist()}


def pixels_of(picture: Any) -> Any:
    """A picture of Pillow's → float32 (784,) in 0..1."""
    return np.asarray(picture.convert("L").resize((28, 28)), np.float32).reshape(784) / 255
