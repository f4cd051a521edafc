"""How a network is trained: each way a frozen value, written into the metadata of what it made."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """`optimizer` and `loss` are Keras's names; `batch_size` is in pictures."""

    name: str
    optimizer: str
    loss: str
    epochs: int
    batch_size: int


# Chapter 2 of F. Chollet, Deep Learning with Python: the notebook this project began with.
BOOK = Recipe("book", optimizer="rmsprop", loss="sparse_categorical_crossentropy", epochs=5, batch_size=128)

RECIPES = {recipe.name: recipe for recipe in (BOOK,)}


@dataclass(frozen=True)
class Naive:
    """Mini-batch SGD, by hand: a step subtracts `learning_rate` times the gradient over `batch_size` pictures; the
    kernels begin at random between `init_from` and `init_to`, the biases at 0.

    The notebook's kernels begin between 0 and 0.1 (`training.naive.build_network` says what comes of that). Measured
    on MNIST's test set, seeds 0 to 2: with NAIVE's other numbers 95.3, 97.1 and 95.0%; at the rate 0.001, 5 epochs,
    81.7, 77.3 and 70.4%. NAIVE itself: 97.87, 97.77 and 97.89%.
    """

    name: str
    epochs: int
    batch_size: int
    learning_rate: float
    init_from: float
    init_to: float


# Above 97.0% from the tenth epoch on; after the twentieth less than 0.1 point an epoch is left to gain.
NAIVE = Naive("naive", epochs=20, batch_size=128, learning_rate=0.1, init_from=-0.05, init_to=0.05)
