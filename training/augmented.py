"""The recipe `augmented`: a network that never sees the same picture twice.

Then a temperature makes its confidence honest, and a second, small network learns what isn't a digit.
"""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import keras
import numpy as np
import tensorflow as tf

from app.images.normalize import normalize
from training.augment import distort
from training.calibration import find_temperature, fold
from training.checkpoint import Checkpoint, State
from training.dataset import Labelled
from training.evaluation import loss_and_accuracy
from training.handwriting import write_digits
from training.network import Weights, arrays_of, build_network, forward, pixels_of, put, variables_of
from training.novelty import learn_novelty
from training.progress import Progress
from training.recipes import Augmented
from training.trained import Epoch, Trained

AHEAD = 2  # epochs that are made while others are learnt from


def train(
    recipe: Augmented, pictures: Labelled, held_out: Labelled, seed: int, checkpoint: Checkpoint, progress: Progress
) -> Trained:
    """Learns from `pictures`; `held_out` says how well, and chooses the temperature and what counts as no digit."""
    if recipe.drawn:
        progress.stage(f"drawing {recipe.drawn:,} digits ...")
        pictures = _with_drawn(pictures, recipe.drawn, seed)
    keras.utils.set_random_seed(seed)
    learner = Learner(recipe, len(pictures.x))
    state = checkpoint.resume()
    if state:
        put(state.arrays, learner.variables)
    history = list(state.history) if state else []
    with closing(_epochs(recipe, pictures, seed, len(history))) as epochs:
        for epoch, shown in enumerate(epochs, len(history) + 1):
            progress.begin_epoch(epoch)
            loss, accuracy = learner.learn(shown, progress)
            history.append(Epoch(loss, accuracy, *loss_and_accuracy(learner.network.get_weights(), held_out)))
            progress.end_epoch(history[-1])
            checkpoint.save(State(epoch, arrays_of(learner.variables), tuple(history)))
    if recipe.oddities and len(held_out.x):
        progress.stage("learning what isn't a digit ...")
    return _finished(recipe, learner, pictures, held_out, seed, tuple(history))


def _with_drawn(pictures: Labelled, count: int, seed: int) -> Labelled:
    drawn = write_digits(count, np.random.default_rng((seed, count)))
    return Labelled(np.concatenate([pictures.x, drawn.x]), np.concatenate([pictures.y, drawn.y]))


def _epochs(recipe: Augmented, pictures: Labelled, seed: int, first: int) -> Generator[Labelled]:
    """The pictures of each epoch from number `first` on, in an order and in distortions of its own.

    They are made by a thread, while the epochs before are learnt from.
    """

    def make(epoch: int) -> Labelled:
        random = np.random.default_rng((seed, epoch + 1))  # 0 would be the same as none
        order = random.permutation(len(pictures.x))
        return Labelled(distort(pictures.x[order], recipe.distortion, random), pictures.y[order])

    maker = ThreadPoolExecutor(1)
    try:
        coming = [maker.submit(make, epoch) for epoch in range(first, min(first + AHEAD, recipe.epochs))]
        for epoch in range(first, recipe.epochs):
            if epoch + AHEAD < recipe.epochs:
                coming.append(maker.submit(make, epoch + AHEAD))
            yield coming.pop(0).result()
    finally:
        maker.shutdown(cancel_futures=True)


class Learner:
    """The network and its optimizer.

    One step is compiled by XLA, from bytes to the next weights: an epoch takes 0.6 s on two cores where Keras's `fit`,
    compiled too, takes 1.0.
    """

    def __init__(self, recipe: Augmented, pictures: int) -> None:
        self._batch_size = min(recipe.batch_size, pictures)
        self.network = build_network()
        steps = pictures // self._batch_size * recipe.epochs
        rate = keras.optimizers.schedules.CosineDecay(recipe.rate, steps)
        self._optimizer = keras.optimizers.Adam(rate)
        self._optimizer.build(self.network.trainable_variables)
        self.variables = variables_of(self.network, self._optimizer)
        self._step = tf.function(self._take_step, jit_compile=True)

    def learn(self, shown: Labelled, progress: Progress) -> tuple[float, float]:
        """One epoch. Gives its loss and accuracy. The last pictures that fill no batch are left for other epochs."""
        sums, seen = np.zeros(2), 0
        for start in range(0, len(shown.x) - self._batch_size + 1, self._batch_size):
            batch = slice(start, start + self._batch_size)
            sums += self._step(tf.constant(shown.x[batch]), tf.constant(shown.y[batch])).numpy()
            seen += self._batch_size
            progress.advance(self._batch_size, *(sums / (seen / self._batch_size)).tolist())
        loss, accuracy = sums / (seen / self._batch_size)
        return float(loss), float(accuracy)

    def _take_step(self, images: tf.Tensor, classes: tf.Tensor) -> tf.Tensor:
        """Gives loss and accuracy of the batch, before the step."""
        pixels = pixels_of(images)
        hidden, output = self.network.layers
        with tf.GradientTape() as tape:
            logits = hidden(pixels) @ output.kernel + output.bias
            losses = keras.losses.sparse_categorical_crossentropy(classes, logits, from_logits=True)
            loss = tf.reduce_mean(losses)
        variables = self.network.trainable_variables
        self._optimizer.apply(tape.gradient(loss, variables), variables)
        right = tf.argmax(logits, axis=1, output_type=tf.int32) == tf.cast(classes, tf.int32)
        return tf.stack([loss, tf.reduce_mean(tf.cast(right, tf.float32))])


def _finished(
    recipe: Augmented, learner: Learner, pictures: Labelled, held_out: Labelled, seed: int, history: tuple[Epoch, ...]
) -> Trained:
    """The network with its temperature, and the judgement of what isn't a digit."""
    weights: Weights = learner.network.get_weights()
    if not len(held_out.x):
        return Trained(weights, history)
    temperature = find_temperature(forward(weights, normalize(held_out.x)), held_out.y)
    novelty = None
    if recipe.oddities:
        novelty = learn_novelty(pictures.x, held_out.x, recipe.distortion, recipe.oddities, recipe.false_alarms, seed)
    return Trained(fold(weights, temperature), history, temperature, novelty)
