"""Is it a digit at all? A small network of its own, learnt from digits and from pictures that aren't.

Softmax has to choose a digit, and is often sure of it where there is none (D. Hendrycks and K. Gimpel, "A Baseline for
Detecting Misclassified and Out-of-Distribution Examples in Neural Networks", 2017). What made-up oddities teach
carries over to kinds that were never shown (D. Hendrycks, M. Mazeika, T. Dietterich, "Deep Anomaly Detection with
Outlier Exposure", 2019); kept apart from the ten classes, it costs them nothing.
"""

from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from app.images.normalize import PIXELS, Grey, normalize
from training.augment import Distortion, distort
from training.network import Weights
from training.oddities import draw_oddities

HIDDEN = 64
EPOCHS = 12
BATCH = 256
ROUNDS = 2  # each digit is shown in so many distorted forms, and once as it is


@dataclass(frozen=True)
class Novelty:
    """`weights`: float32 (784, 64), (64,), (64, 1), (1,); between them relu. What comes out, the score, is the log-odds
    that the picture isn't a digit. Above `threshold` it is said aloud; of digits that were held out, a share of
    `false_alarms` lies above.
    """

    weights: Weights
    threshold: float
    false_alarms: float

    def score(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32 (N, 784) in 0..1 → float32 (N,)."""
        w1, b1, w2, b2 = self.weights
        hidden = np.maximum(pixels @ w1 + b1, 0)
        score: NDArray[np.float32] = (hidden @ w2 + b2)[:, 0]
        return score


def learn_novelty(
    digits: Grey, held_out: Grey, by: Distortion, oddities: int, false_alarms: float, seed: int
) -> Novelty:
    """Learns from `digits`, uint8 (N, 28, 28), distorted and not, and as many made-up `oddities` as said.

    The threshold is where a share of `false_alarms` of `held_out`, uint8 (M, 28, 28), lies above.
    """
    random = np.random.default_rng((seed, oddities))
    known = np.concatenate([digits, *(distort(digits, by, random) for _ in range(ROUNDS))])
    strange = draw_oddities(oddities, digits, random)
    order = random.permutation(len(known) + ROUNDS * len(strange))
    images = np.concatenate([known, *[strange] * ROUNDS])[order]
    is_strange = np.concatenate([np.zeros(len(known)), np.ones(ROUNDS * len(strange))])[order].astype(np.float32)
    novelty = Novelty(_fit(images, is_strange, seed), 0.0, false_alarms)
    threshold = float(np.quantile(novelty.score(normalize(held_out)), 1 - false_alarms))
    return Novelty(novelty.weights, threshold, false_alarms)


def _fit(images: Grey, is_strange: NDArray[np.float32], seed: int) -> Weights:
    keras.utils.set_random_seed(seed)
    network = keras.Sequential(
        [keras.Input((PIXELS,)), keras.layers.Dense(HIDDEN, activation="relu"), keras.layers.Dense(1)]
    )
    steps = len(images) // BATCH
    rate = keras.optimizers.schedules.CosineDecay(1e-3, EPOCHS * steps)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    network.compile(keras.optimizers.AdamW(rate, weight_decay=1e-3), loss, jit_compile=True, steps_per_execution=100)
    network.fit(normalize(images), is_strange, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    weights: Weights = network.get_weights()
    return weights
