"""How the signature of a SavedModel is called: by the shortest way into TensorFlow."""

import logging
from typing import Any

import numpy as np

from app.model.tensors import BATCHES, PIXELS, TOLERANCE, Pixels, Rows, Run, difference

log = logging.getLogger("digits")


def build(signature: Any) -> Run:
    """Makes `signature` (pixels float32 [N, 784] → one output, float32 [N, 10] or [N, 11]) a function of NumPy arrays.

    The short way is taken when its answers are the signature's own; if not, the plain call, and the log says so.
    """
    plain, short = _plain(signature), _short(signature)
    try:
        _check_same(plain, short)
    except Exception as error:  # noqa: BLE001 - whatever TensorFlow raises, the plain way is still there
        log.warning("calling the model the plain way, which takes twice as long: %s", error)
        return plain
    return short


def _plain(signature: Any) -> Run:
    import tensorflow as tf

    def run(pixels: Pixels) -> Rows:
        (answer,) = signature(pixels=tf.constant(pixels)).values()
        rows: Rows = answer.numpy()
        return rows

    return run


def _short(signature: Any) -> Run:
    """Runs the signature's graph by TensorFlow's own operation for that, without the checks of `signature(...)`.

    One row takes 44 µs instead of 114, 32 rows 142 instead of 211: the arguments are otherwise bound and checked in
    Python at every call, although there is one tensor, and always of this type. XLA buys nothing on top: compiled for
    one batch size, with the weights as constants, and called in the same way, one row takes 59 µs and 32 rows 160.
    `python -m benchmarks.engine` measures it, benchmarks/PROFILE.md has more.
    """
    import tensorflow as tf

    weights = list(signature.captured_inputs)
    types = [tf.float32]
    call = tf.raw_ops.StatefulPartitionedCall

    def run(pixels: Pixels) -> Rows:
        answer: Rows = call(args=[pixels, *weights], Tout=types, f=signature)[0].numpy()
        return answer

    return run


def _check_same(plain: Run, short: Run) -> None:
    random = np.random.default_rng(0)
    for size in BATCHES:
        pixels = random.random((size, PIXELS), np.float32)
        apart = difference(short(pixels), plain(pixels))
        if not apart <= TOLERANCE:
            raise ValueError(f"expected the same answers by the short way; {size} rows differ by {apart}")
