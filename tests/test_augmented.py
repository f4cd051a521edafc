"""The recipe `augmented` on a slice of MNIST: it learns, can be interrupted, and gives the same bytes for a seed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.images.normalize import normalize
from training.augmented import train
from training.checkpoint import Checkpoint, State
from training.dataset import Dataset, Labelled
from training.evaluation import Evaluation
from training.network import forward
from training.recipes import Augmented
from training.trained import Epoch, Trained

SLICE = replace(Augmented(), epochs=4, batch_size=128, drawn=200, oddities=300)


class Silent:
    """Progress that says nothing."""

    def begin_epoch(self, number: int) -> None: ...

    def advance(self, pictures: int, loss: float | None, accuracy: float | None) -> None: ...

    def end_epoch(self, epoch: Epoch) -> None: ...

    def stage(self, what: str) -> None: ...


class Stages(Silent):
    """Remembers what was said to take a while."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def stage(self, what: str) -> None:
        self.told.append(what)


class Interrupted(Checkpoint):
    """Stops the training after `epoch`, as Ctrl-C would."""

    epoch = 2

    def save(self, state: State) -> None:
        super().save(state)
        if state.epoch == self.epoch:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def pictures(mnist: Dataset) -> Labelled:
    return Labelled(mnist.x_train[:4000], mnist.y_train[:4000])


@pytest.fixture(scope="module")
def held_out(mnist: Dataset) -> Labelled:
    return Labelled(mnist.x_train[-1000:], mnist.y_train[-1000:])


def trained_on(pictures: Labelled, held_out: Labelled, checkpoint: Checkpoint, recipe: Augmented = SLICE) -> Trained:
    return train(recipe, pictures, held_out, 3, checkpoint, Silent())


@pytest.fixture(scope="module")
def trained(pictures: Labelled, held_out: Labelled, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return trained_on(pictures, held_out, Checkpoint(tmp_path_factory.mktemp("augmented") / "state.npz"))


def bytes_of(trained: Trained) -> list[bytes]:
    assert trained.novelty is not None
    return [each.tobytes() for each in (*trained.weights, *trained.novelty.weights)]


def test_it_learns(trained: Trained, held_out: Labelled) -> None:
    evaluation = Evaluation(forward(trained.weights, normalize(held_out.x)), held_out.y)
    assert 0.85 < evaluation.accuracy < 0.99
    assert trained.history[-1].held_out_accuracy == pytest.approx(evaluation.accuracy)
    assert trained.history[-1].loss < trained.history[0].loss
    assert len(trained.history) == SLICE.epochs


def test_the_temperature_makes_the_held_out_pictures_more_likely(trained: Trained, held_out: Labelled) -> None:
    """Distortions are harder to read than what was held out, so that the network is too modest there."""
    assert trained.temperature is not None
    assert trained.temperature < 1
    calibrated = Evaluation(forward(trained.weights, normalize(held_out.x)), held_out.y)
    before = trained.history[-1].held_out_loss
    assert before is not None
    assert calibrated.log_loss < before


def test_interrupted_and_resumed_it_gives_the_same_bytes(
    trained: Trained, pictures: Labelled, held_out: Labelled, tmp_path: Path
) -> None:
    interrupted = Interrupted(tmp_path / "state.npz")
    with pytest.raises(KeyboardInterrupt):
        trained_on(pictures, held_out, interrupted)
    assert interrupted.state is not None
    resumed = trained_on(pictures, held_out, Checkpoint(tmp_path / "state.npz", interrupted.state))
    assert bytes_of(resumed) == bytes_of(trained)
    assert resumed.history == trained.history


def test_what_takes_a_while_beside_the_epochs_is_told(pictures: Labelled, held_out: Labelled, tmp_path: Path) -> None:
    stages = Stages()
    train(replace(SLICE, epochs=1), pictures, held_out, 3, Checkpoint(tmp_path / "state.npz"), stages)
    assert stages.told == ["drawing 200 digits ...", "learning what isn't a digit ..."]


def test_without_held_out_pictures_there_is_no_temperature_and_no_judgement(
    pictures: Labelled, held_out: Labelled, tmp_path: Path
) -> None:
    nothing = Labelled(held_out.x[:0], held_out.y[:0])
    trained = trained_on(pictures, nothing, Checkpoint(tmp_path / "state.npz"), replace(SLICE, epochs=1))
    assert (trained.temperature, trained.novelty) == (None, None)
    assert trained.history[0].held_out_accuracy is None


def test_fewer_pictures_than_a_batch_are_learnt_from(pictures: Labelled, held_out: Labelled, tmp_path: Path) -> None:
    few = Labelled(pictures.x[:50], pictures.y[:50])
    trained = trained_on(few, held_out, Checkpoint(tmp_path / "x.npz"), replace(SLICE, epochs=2, drawn=0, oddities=0))
    assert trained.novelty is None
    assert np.isfinite(trained.history[-1].loss)
