"""Fits what `app.images.choice` tells digits from pieces of digits by, and writes it: python -m training.judge."""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from app.errors import BlankPicture
from app.images.choice import JUDGE, judge_inputs
from app.images.closeup import look_close
from app.images.groups import Piece, cut_apart, groups_of, runs_of
from app.images.opencv import cv2
from app.images.rows import text_lines
from training.dataset import Dataset, load
from training.rows import SPACINGS, Row, any_style, compose

Floats = NDArray[np.float32]

ROWS = 6000  # composed: two to three minutes' work
MOST_DIGITS = 7  # in a row
SHARES = (0.12, 0.38, 0.25, 0.15, 0.10)  # of each spacing; touching digits are what there is most to learn from
MARKED = 0.4  # of the rows have marks between their digits, at every third place or so
MARKS = 0.3
# Of the ink of a digit and of a group, so much is in both if they are the same, and less than the second if they are
# not; nor are they if another group has so much more of it, a digit without the dash beside it say. Groups between
# these aren't learnt from.
SAME, OTHER = 0.7, 0.55
AS_GOOD, WORSE = 0.03, 0.06

HIDDEN = 64
EPOCHS, BATCH, RATE, DECAY = 24, 256, 2e-3, 1e-4
SEED = 21


def main() -> None:
    """Composes rows of MNIST's training digits, has them segmented, and fits the judge to what is a digit there."""
    random = np.random.default_rng(SEED)
    inputs, labels = examples(load(), ROWS, random)
    layers = fit(inputs, labels, random)
    names = ("hidden_weights", "hidden_bias", "weights", "bias")
    halves = {name: layer.astype(np.float16) for name, layer in zip(names, layers, strict=True)}
    np.savez_compressed(JUDGE, allow_pickle=False, **halves)


def examples(dataset: Dataset, rows: int, random: Generator) -> tuple[Floats, Floats]:
    """What the judge is shown, float32 (N, inputs), and whether it is a digit, float32 (N,), 0 or 1."""
    inputs: list[Floats] = []
    labels: list[Floats] = []
    for _ in range(rows):
        chosen = random.integers(0, len(dataset.x_train), random.integers(1, MOST_DIGITS + 1))
        marks = MARKS * (random.random() < MARKED)
        style = any_style(random, str(random.choice(SPACINGS, p=SHARES)), marks)
        for seen, good, bad in _judged(compose(dataset.x_train[chosen], style, random)):
            inputs.append(seen[good | bad])
            labels.append(good[good | bad].astype(np.float32))
    return np.concatenate(inputs), np.concatenate(labels)


def _judged(row: Row) -> list[tuple[Floats, NDArray[np.bool_], NDArray[np.bool_]]]:
    """For each line of text: the judge's inputs, and which of the groups are digits, and which are surely none."""
    try:
        close_up = look_close(row.picture, row.dark)
    except BlankPicture:
        return []
    found: list[tuple[Floats, NDArray[np.bool_], NDArray[np.bool_]]] = []
    number = len(close_up.boxes) + 2
    for members in text_lines(close_up.boxes, close_up.height):
        pieces = cut_apart(close_up, members, number)
        number = max(number, *(piece.number + 2 for piece in pieces))
        groups = groups_of(pieces, runs_of(pieces), close_up)
        if groups:
            shares = _shares([pieces[group.first : group.last] for group in groups], close_up.labels, row.masks)
            whose, best = shares.argmax(axis=1), shares.max(axis=0)
            own, most = shares.max(axis=1), best[whose]
            good = (own > SAME) & (own > most - AS_GOOD)
            found.append((judge_inputs(groups), good, (own < OTHER) | (own < most - WORSE)))
    return found


def _shares(runs: list[list[Piece]], labels: NDArray[np.int32], masks: NDArray[np.bool_]) -> Floats:
    """For each run of pieces and each digit: the ink that is in both, of the ink in either; float32 (runs, digits)."""
    size = labels.shape[1], labels.shape[0]
    shrunk = [cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) >= 0.5 for mask in masks]
    counts = np.stack([np.bincount(labels[mask], minlength=labels.max() + 1) for mask in shrunk])
    counts[:, 0] = 0
    sizes = np.bincount(labels.ravel())
    shares = np.zeros((len(runs), len(masks)), np.float32)
    for place, run in enumerate(runs):
        numbers = [piece.number for piece in run]
        shared = counts[:, numbers].sum(axis=1)
        shares[place] = shared / np.maximum(sizes[numbers].sum() + counts.sum(axis=1) - shared, 1)
    return shares


def fit(inputs: Floats, labels: Floats, random: Generator) -> list[Floats]:
    """Two dense layers, relu between, that say by how much each of `inputs` is rather a digit: the log of the odds.

    Fitted by Adam (Kingma and Ba 2014) to the cross-entropy, in NumPy: it takes a minute.
    """
    count, width = inputs.shape
    layers: list[Floats] = [
        random.normal(0, width**-0.5, (width, HIDDEN)).astype(np.float32),
        np.zeros(HIDDEN, np.float32),
        random.normal(0, HIDDEN**-0.5, HIDDEN).astype(np.float32),
        np.zeros(1, np.float32),
    ]
    means, squares = [np.zeros_like(layer) for layer in layers], [np.zeros_like(layer) for layer in layers]
    steps = EPOCHS * (count // BATCH)
    for step in range(1, steps + 1):
        some = random.integers(0, count, BATCH)
        rate = RATE * (1 - step / (steps + 1))
        for layer, mean, square, slope in zip(
            layers, means, squares, _slopes(layers, inputs[some], labels[some]), strict=True
        ):
            mean += 0.1 * (slope - mean)
            square += 0.001 * (slope**2 - square)
            layer -= rate * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
    return layers


def _slopes(layers: list[Floats], inputs: Floats, labels: Floats) -> list[Floats]:
    hidden_weights, hidden_bias, weights, bias = layers
    hidden = np.maximum(inputs @ hidden_weights + hidden_bias, 0)
    off = (1 / (1 + np.exp(-(hidden @ weights + bias))) - labels) / len(labels)
    back = np.outer(off, weights) * (hidden > 0)
    return [
        inputs.T @ back + DECAY * hidden_weights,
        back.sum(axis=0),
        hidden.T @ off + DECAY * weights,
        off.sum(keepdims=True),
    ]


if __name__ == "__main__":
    main()
