"""How sure the network says it is, brought near how often it is right: one number, found after training.

C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On Calibration of Modern Neural Networks", 2017: dividing the logits by a
temperature changes no answer, and does as well as what is more complicated.
"""

import numpy as np
from numpy.typing import NDArray

from training.network import Weights

Floats = NDArray[np.float32]

# Tried, two hundredths apart: at 0.5 a network is far too modest, at 2 far too sure.
TEMPERATURES = np.exp(np.arange(np.log(0.5), np.log(2.0), 0.02))


def find_temperature(probabilities: Floats, truth: NDArray[np.uint8]) -> float:
    """Which temperature makes `truth`, (N,), most likely; `probabilities`, float32 (N, 10), are those at 1."""
    logits = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny)).astype(np.float64)
    return float(min(TEMPERATURES, key=lambda temperature: _loss(logits / temperature, truth)))


def _loss(logits: NDArray[np.float64], truth: NDArray[np.uint8]) -> float:
    """The mean negative log-likelihood, in nats."""
    highest = logits.max(axis=1)
    log_sum = highest + np.log(np.exp(logits - highest[:, np.newaxis]).sum(axis=1))
    return float((log_sum - logits[np.arange(len(truth)), truth]).mean())


def fold(weights: Weights, temperature: float) -> Weights:
    """The network whose logits are divided by `temperature`: its last layer's kernel and bias are."""
    w1, b1, w2, b2 = weights
    return [w1, b1, w2 / np.float32(temperature), b2 / np.float32(temperature)]
