"""The book's recipe: the same bytes, also when it was interrupted."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from app.images.normalize import normalize
from training.book import Batches, build, train
from training.checkpoint import Checkpoint
from training.dataset import Dataset, Labelled
from training.progress import Lines
from training.recipes import Book
from training.trained import Trained

RECIPE = Book(epochs=3)


@pytest.fixture(scope="module")
def pictures(mnist: Dataset) -> Labelled:
    """As many as leave a last batch that isn't full."""
    return Labelled(mnist.x_train[:1000], mnist.y_train[:1000])


class Watched(Lines):
    """Keeps what it is told, and is interrupted in an epoch."""

    def __init__(self, interrupted_in: int | None = None) -> None:
        super().__init__(RECIPE.epochs, io.StringIO())
        self.pictures, self._interrupted_in = 0, interrupted_in

    def advance(self, pictures: int, loss: float | None, accuracy: float | None) -> None:
        self.pictures += pictures
        if self._number == self._interrupted_in:
            raise KeyboardInterrupt


def trained(pictures: Labelled, checkpoint: Checkpoint, progress: Watched | None = None) -> Trained:
    return train(RECIPE, pictures, Labelled(pictures.x[:0], pictures.y[:0]), 7, checkpoint, progress or Watched())


@dataclass
class Whole:
    """A training from beginning to end, the pictures that it told of, and the order that each epoch had."""

    result: Trained
    checkpoint: Checkpoint
    told: int
    orders: list[tuple[int, ...]]


@pytest.fixture(scope="module")
def whole(pictures: Labelled, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    checkpoint, watched = Checkpoint(tmp_path_factory.mktemp("book") / "whole.npz"), Watched()
    orders: list[tuple[int, ...]] = []
    in_order = Batches.in_order

    def seen(batches: Batches, order: NDArray[np.int64]) -> object:
        orders.append(tuple(order.tolist()))
        return in_order(batches, order)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Batches, "in_order", seen)
        result = trained(pictures, checkpoint, watched)
    return Whole(result, checkpoint, watched.pictures, orders)


def test_interrupted_and_resumed_it_gives_the_same_bytes(pictures: Labelled, whole: Whole, tmp_path: Path) -> None:
    first = Checkpoint(tmp_path / "first.npz")
    with pytest.raises(KeyboardInterrupt):
        trained(pictures, first, Watched(interrupted_in=3))
    assert first.state is not None
    resumed = trained(pictures, Checkpoint(tmp_path / "second.npz", first.state))
    assert [each.tobytes() for each in resumed.weights] == [each.tobytes() for each in whole.result.weights]
    assert resumed.history == whole.result.history
    assert len(resumed.history) == 3


def test_with_all_epochs_done_nothing_is_trained(pictures: Labelled, whole: Whole, tmp_path: Path) -> None:
    watched = Watched()
    after = trained(pictures, Checkpoint(tmp_path / "again.npz", whole.checkpoint.state), watched)
    assert watched.pictures == 0
    assert [each.tobytes() for each in after.weights] == [each.tobytes() for each in whole.result.weights]


def test_every_picture_is_told_of_and_the_loss_falls(pictures: Labelled, whole: Whole) -> None:
    history = whole.result.history
    assert whole.told == RECIPE.epochs * len(pictures.x)
    assert history[0].loss > history[1].loss > history[2].loss
    assert history[2].accuracy > 0.85


def test_it_predicts_what_its_weights_say(pictures: Labelled, whole: Whole) -> None:
    network = build(RECIPE, 0)
    network.set_weights(whole.result.weights)
    pixels = normalize(pictures.x[:7])
    assert np.abs(whole.result.answer(pixels) - np.asarray(network(pixels))).max() <= 1e-6


def test_batches_are_the_pictures_in_the_order_asked_for(pictures: Labelled) -> None:
    order = np.random.default_rng(0).permutation(len(pictures.x))
    batches = [(np.asarray(x), np.asarray(y)) for x, y in Batches(pictures, 128).in_order(order)]
    assert [len(x) for x, _ in batches] == [128] * 7 + [104]
    assert (np.concatenate([x for x, _ in batches]) == normalize(pictures.x)[order]).all()
    assert (np.concatenate([y for _, y in batches]) == pictures.y[order]).all()


def test_each_epoch_has_an_order_of_its_own(pictures: Labelled, whole: Whole) -> None:
    assert len(set(whole.orders)) == RECIPE.epochs
    assert {tuple(sorted(order)) for order in whole.orders} == {tuple(range(len(pictures.x)))}
