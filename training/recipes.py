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
