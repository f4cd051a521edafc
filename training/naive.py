"""The network from scratch: TensorFlow's tensors and gradients, and no Keras. To be read from top to bottom.

What `keras.layers.Dense`, `keras.Sequential` and `fit` do for the recipe `book`, this file does by hand, in the order
in which one learns it: a layer, a network of layers, what is wrong with its answers (the loss), which way is better
(the gradient), one step that way, and as many steps as it takes. After F. Chollet, Deep Learning with Python, second
edition (Manning, 2021), chapter 2.5; the names are the book's.

Shapes stand at the line's end: n is the number of pictures in a batch, 784 the pixels of a picture, 512 the hidden
units, 10 the classes.
"""

import math
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from app.images.normalize import PIXELS, normalize
from app.model.metadata import CLASSES
from training.checkpoint import Checkpoint, State
from training.dataset import Labelled
from training.evaluation import loss_and_accuracy
from training.network import HIDDEN, Weights
from training.progress import Progress
from training.recipes import Naive
from training.trained import Epoch, Trained

Activation = Callable[[tf.Tensor], tf.Tensor]
Draw = Callable[[tuple[int, int]], NDArray[np.float32]]
Step = Callable[["NaiveSequential", tf.Tensor, tf.Tensor, float], tuple[tf.Tensor, tf.Tensor]]

NAMES = ("W1", "b1", "W2", "b2")  # of the weights in a checkpoint


# 1. A layer


class NaiveDense:
    """output = activation(input · W + b): every unit weighs all inputs, by its own column of W, and adds its own b.

    (The notebook's could not run: it never made W, and its `_call_` lacked the underscores of `__call__`.)
    """

    def __init__(self, input_size: int, output_size: int, activation: Activation, draw: Draw) -> None:
        """`draw` gives the kernel that training begins with, float32 of the shape asked for."""
        self.activation = activation
        # by chance: units that began alike would have the same gradient, and stay alike for ever
        self.W = tf.Variable(draw((input_size, output_size)))  # (input_size, output_size)
        # at zero: W has made the units different already
        self.b = tf.Variable(tf.zeros(output_size))  # (output_size,)

    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        """(n, input_size) → (n, output_size); b is added to each of the n rows, which is called broadcasting."""
        return self.activation(tf.matmul(inputs, self.W) + self.b)  # (n, output_size)

    @property
    def weights(self) -> list[tf.Variable]:
        """What is learnt: [W, b]."""
        return [self.W, self.b]


def relu(z: tf.Tensor) -> tf.Tensor:
    """max(z, 0), number by number. Without such a bend two layers were no more than one: (x·W1)·W2 = x·(W1·W2)."""
    return tf.maximum(z, 0.0)


def log_softmax(z: tf.Tensor) -> tf.Tensor:
    """Turns ten numbers of any size into the logarithms of ten probabilities: (n, 10) → (n, 10).

    softmax(z)ₖ = exp(zₖ) / Σⱼ exp(zⱼ) is positive and adds up to 1. Computed like that it is fragile: in float32 exp
    overflows from 89 on (the notebook's kernels begin with z around 132), and a probability that is too small becomes
    0, whose logarithm, which the loss needs, is −∞. So the logarithm is taken on paper,

        ln softmax(z)ₖ = zₖ − ln Σⱼ exp(zⱼ),

    and the sum is left to a function that first takes out the largest z, m, so that no exp is above 1:

        ln Σⱼ exp(zⱼ) = m + ln Σⱼ exp(zⱼ − m).
    """
    return z - tf.reduce_logsumexp(z, axis=1, keepdims=True)  # (n, 10) - (n, 1)


# 2. A network


class NaiveSequential:
    """Layers in a row: what one gives the next one takes."""

    def __init__(self, layers: list[NaiveDense]) -> None:
        self.layers = layers

    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        """The forward pass: (n, inputs of the first layer) → (n, outputs of the last)."""
        x = inputs
        for layer in self.layers:
            x = layer(x)
        return x

    @property
    def weights(self) -> list[tf.Variable]:
        """All that is learnt, in the order of the layers."""
        return [weight for layer in self.layers for weight in layer.weights]


def build_network(recipe: Naive, seed: int) -> NaiveSequential:
    """784 → 512 → 10: float32 (n, 784) in 0..1 → the logarithms of the probabilities, float32 (n, 10).

    The kernels begin at random around zero, so that the ink of a picture cancels out, and each hidden unit begins with
    a view of its own: above zero for half of the pictures, each for another half.

    The notebook's begin between 0 and 0.1. No pixel is below zero either, so each of the 512 units begins as the mean
    of W times all the ink of the picture: 5.1 for the average picture, with only ±0.3 between one unit and another.
    None is below zero, so relu bends nothing; any two rise and fall together from picture to picture (correlation
    0.99); and all pictures are read as one and the same class. Their gradients are as alike: a step moves all units
    the same way, and in the outputs 512 small moves add up to a leap. At the rate 0.1 the loss goes from 5 to over 400
    within four steps, and after an epoch relu leaves a picture 1 to 8% of the units (centred: 70%); at 0.001 the answer
    swings from class to class for hundreds of steps.
    """
    random = np.random.default_rng((seed,))

    def draw(shape: tuple[int, int]) -> NDArray[np.float32]:
        return random.uniform(recipe.init_from, recipe.init_to, shape).astype(np.float32)

    return NaiveSequential([NaiveDense(PIXELS, HIDDEN, relu, draw), NaiveDense(HIDDEN, CLASSES, log_softmax, draw)])


# 3. How wrong it is


def cross_entropy(log_probabilities: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """The loss, one number: −ln p(the right class), averaged over the batch.

    0 if the network is certain and right, ln 10 = 2.3 if it guesses among ten, and without limit the surer it is of
    what is wrong. Accuracy can't take its place: it moves in jumps, and so has no slope that one could follow.
    """
    of_the_right_class = tf.gather(log_probabilities, labels, batch_dims=1)  # (n,)
    return -tf.reduce_mean(of_the_right_class)  # ()


def count_right(log_probabilities: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """How many pictures have their highest probability where the label is. For people; training doesn't use it."""
    return tf.math.count_nonzero(tf.argmax(log_probabilities, axis=1) == labels)  # ()


# 4. One step


def train_step(
    network: NaiveSequential, pixels: tf.Tensor, labels: tf.Tensor, learning_rate: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """Makes the loss on one batch, (n, 784) and (n,), slightly smaller; gives the loss before, and how many were right.

    The tape writes down what the forward pass does, and then goes through it backwards by the chain rule: that is
    backpropagation. It begins at the outputs, with the answer minus the truth: ∂loss/∂zₖ = (softmax(z)ₖ − yₖ) / n,
    yₖ = 1 for the label and 0 for the other nine.
    """
    with tf.GradientTape() as tape:
        log_probabilities = network(pixels)  # (n, 10)
        loss = cross_entropy(log_probabilities, labels)  # ()
    gradients = tape.gradient(loss, network.weights)  # ∂loss/∂W, ∂loss/∂b: each of its weight's shape
    update_weights(network.weights, gradients, learning_rate)
    return loss, count_right(log_probabilities, labels)


def update_weights(weights: list[tf.Variable], gradients: list[tf.Tensor], learning_rate: float) -> None:
    """W -= learning_rate * gradient, for each weight: the gradient is the way in which the loss grows fastest.

    Only a small part of it, since it is true only where it was measured: too large a step lands on the other slope.
    """
    for weight, gradient in zip(weights, gradients, strict=True):
        weight.assign_sub(learning_rate * gradient)


# 5. Many steps


def shuffled(pictures: Labelled, seed: int, epoch: int) -> Labelled:
    """The same pictures in another order each epoch, so that batches differ, and none is always the last.

    `epoch` counts from 1: NumPy takes (seed, 0) for the same seed as (seed,), from which the kernels are drawn.
    """
    order = np.random.default_rng((seed, epoch)).permutation(len(pictures.x))
    return Labelled(pictures.x[order], pictures.y[order])


def batches(pictures: Labelled, size: int) -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
    """Slices: `size` pictures at a time, float32 (n, 784) in 0..1, and their labels, int64 (n,); the last may be fewer.

    Why not all at once: the gradient of 128 pictures is on average that of all 60,000, at a 469th of the cost, so that
    one look at all pictures makes 469 steps. That is the "mini-batch" of mini-batch SGD; the "stochastic" is the chance
    by which a batch has these pictures and no others.
    """
    for n in range(math.ceil(len(pictures.x) / size)):
        batch = slice(size * n, size * (n + 1))
        yield tf.constant(normalize(pictures.x[batch])), tf.constant(pictures.y[batch], tf.int64)


def train_epoch(
    step: Step, network: NaiveSequential, pictures: Labelled, recipe: Naive, progress: Progress
) -> tuple[float, float]:
    """One look at all pictures: the loss and the accuracy on the way, each batch before its own step."""
    seen, loss, right = 0, 0.0, 0
    for pixels, labels in batches(pictures, recipe.batch_size):
        batch_loss, batch_right = step(network, pixels, labels, recipe.learning_rate)
        seen += len(labels)
        loss += float(batch_loss) * len(labels)  # the last batch counts for what it holds
        right += int(batch_right)
        progress.advance(len(labels), loss / seen, right / seen)
    return loss / seen, right / seen


def train(
    recipe: Naive, pictures: Labelled, held_out: Labelled, seed: int, checkpoint: Checkpoint, progress: Progress
) -> Trained:
    """Mini-batch stochastic gradient descent over `pictures`, for as many epochs as `recipe` says.

    `held_out` (N may be 0) is never learnt from, only judged after each epoch. The same seed on the same machine gives
    the same bytes of weights, whether or not the run was interrupted and resumed.
    """
    network = build_network(recipe, seed)
    history = restore(network, checkpoint)
    # Python's part in each of the step's operations costs more than the arithmetic. tf.function runs the step once
    # through Python, notes the operations as a graph, and from then on runs that: the same bytes, three times as fast
    # (an epoch of MNIST on one core: 2.9 s without, 0.94 s with).
    step = tf.function(train_step)
    for number in range(len(history) + 1, recipe.epochs + 1):
        progress.begin_epoch(number)
        loss, accuracy = train_epoch(step, network, shuffled(pictures, seed, number), recipe, progress)
        epoch = Epoch(loss, accuracy, *loss_and_accuracy(weights_of(network), held_out))
        history = (*history, epoch)
        checkpoint.save(State(number, dict(zip(NAMES, weights_of(network), strict=True)), history))
        progress.end_epoch(epoch)
    return Trained(weights_of(network), history)


# 6. What comes of it


def restore(network: NaiveSequential, checkpoint: Checkpoint) -> tuple[Epoch, ...]:
    """Takes over the weights of an interrupted run, if there was one, and gives its history.

    That is all there is: plain SGD remembers nothing from one step to the next.
    """
    state = checkpoint.resume()
    if state is None:
        return ()
    for name, weight in zip(NAMES, network.weights, strict=True):
        weight.assign(state.arrays[name])
    return state.history


def weights_of(network: NaiveSequential) -> Weights:
    """Copies: the variables go on changing."""
    return [weight.numpy().copy() for weight in network.weights]
