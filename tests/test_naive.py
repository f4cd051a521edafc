"""The network from scratch: its gradients are right, its steps are the book's, and it is served like any other."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

import training.network
from app.images.normalize import normalize
from app.model import saved_model
from app.settings import Settings
from tests.conftest import serving
from tests.support import encode, forward
from training.checkpoint import Checkpoint
from training.dataset import Dataset, Labelled
from training.export import export
from training.naive import (
    NaiveDense,
    NaiveSequential,
    batches,
    build_network,
    cross_entropy,
    log_softmax,
    relu,
    shuffled,
    train,
    train_step,
)
from training.recipes import Naive
from training.trained import Epoch, Trained

NAIVE = Naive()
SHORT = replace(NAIVE, epochs=3)
NOTEBOOK = replace(NAIVE, init_from=0.0, init_to=0.1)


class Told:
    """What a progress bar is told."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.pictures = 0
        self.ended: list[Epoch] = []

    def begin_epoch(self, number: int) -> None:
        self.begun.append(number)

    def advance(self, pictures: int, loss: float | None, accuracy: float | None) -> None:
        self.pictures += pictures

    def end_epoch(self, epoch: Epoch) -> None:
        self.ended.append(epoch)

    def stage(self, what: str) -> None:
        raise AssertionError(f"there is nothing to do but epochs, not {what}")


def train_on(
    pictures: Labelled,
    held_out: Labelled,
    checkpoint: Checkpoint,
    recipe: Naive = SHORT,
    seed: int = 0,
    progress: Told | None = None,
) -> Trained:
    return train(recipe, pictures, held_out, seed, checkpoint, progress or Told())


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    return Checkpoint(tmp_path / "state.npz")


@pytest.fixture(scope="module")
def pictures(mnist: Dataset) -> Labelled:
    return Labelled(mnist.x_train[:6000], mnist.y_train[:6000])


@pytest.fixture(scope="module")
def held_out(mnist: Dataset) -> Labelled:
    return Labelled(mnist.x_test, mnist.y_test)


@pytest.fixture(scope="module")
def trained(pictures: Labelled, held_out: Labelled, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train_on(pictures, held_out, Checkpoint(tmp_path_factory.mktemp("naive") / "state.npz"))


@pytest.fixture(scope="module")
def batch(pictures: Labelled) -> tuple[tf.Tensor, tf.Tensor]:
    return next(batches(pictures, 128))


def bytes_of(weights: list[NDArray[np.float32]]) -> bytes:
    return b"".join(weight.tobytes() for weight in weights)


def small_network(random: Generator) -> NaiveSequential:
    """6 → 5 → 3, in float64, its biases not zero."""

    def draw(shape: tuple[int, int]) -> NDArray[np.float32]:
        return random.uniform(-1, 1, shape).astype(np.float32)

    network = NaiveSequential([NaiveDense(6, 5, relu, draw), NaiveDense(5, 3, log_softmax, draw)])
    for layer in network.layers:
        layer.W = tf.Variable(tf.cast(layer.W, tf.float64))
        layer.b = tf.Variable(random.uniform(-1, 1, layer.b.shape))
    return network


def test_every_gradient_agrees_with_finite_differences() -> None:
    random = default_rng(0)
    network = small_network(random)
    pixels, labels = tf.constant(random.random((7, 6))), tf.constant(random.integers(0, 3, 7))
    with tf.GradientTape() as tape:
        loss = cross_entropy(network(pixels), labels)
    step = 1e-6
    for weight, gradient in zip(network.weights, tape.gradient(loss, network.weights), strict=True):
        value, measured = weight.numpy().copy(), np.zeros(weight.shape)
        for place in np.ndindex(value.shape):
            nudge = np.zeros(value.shape)
            nudge[place] = step
            weight.assign(value + nudge)
            above = cross_entropy(network(pixels), labels)
            weight.assign(value - nudge)
            below = cross_entropy(network(pixels), labels)
            measured[place] = (above - below) / (2 * step)
        weight.assign(value)
        assert np.abs(measured).max() > 1e-2
        np.testing.assert_allclose(gradient, measured, rtol=1e-4, atol=1e-8)


def test_loss_and_gradients_agree_with_keras_on_the_same_weights(batch: tuple[tf.Tensor, tf.Tensor]) -> None:
    pixels, labels = batch
    ours, theirs = build_network(NAIVE, 0), training.network.build_network()
    theirs.set_weights([weight.numpy() for weight in ours.weights])
    with tf.GradientTape(persistent=True) as tape:
        loss = cross_entropy(ours(pixels), labels)
        expected = keras.losses.SparseCategoricalCrossentropy()(labels, theirs(pixels))
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)
    gradients = tape.gradient(loss, ours.weights)
    keras_gradients = tape.gradient(expected, [each.value for each in theirs.trainable_weights])
    for gradient, keras_gradient in zip(gradients, keras_gradients, strict=True):
        assert np.abs(gradient - keras_gradient).max() <= 1e-4 * np.abs(keras_gradient).max()


@pytest.mark.parametrize("step", [train_step, tf.function(train_step)], ids=["plain", "as a graph"])
def test_a_step_subtracts_the_learning_rate_times_the_gradient_to_the_byte(
    step: Callable[..., tuple[tf.Tensor, tf.Tensor]], batch: tuple[tf.Tensor, tf.Tensor]
) -> None:
    pixels, labels = batch
    network = build_network(NAIVE, 0)
    with tf.GradientTape() as tape:
        loss = cross_entropy(network(pixels), labels)
    gradients = tape.gradient(loss, network.weights)
    before = [weight.numpy().copy() for weight in network.weights]
    assert float(step(network, pixels, labels, 0.1)[0]) == float(loss)
    for weight, old, gradient in zip(network.weights, before, gradients, strict=True):
        assert np.array_equal(weight.numpy(), old - np.float32(0.1) * gradient.numpy())
        assert not np.array_equal(weight.numpy(), old)


def test_outputs_far_apart_have_a_loss_and_a_gradient_all_the_same() -> None:
    z = tf.Variable([[1000.0, 0.0, -1000.0]])
    with tf.GradientTape() as tape:
        loss = cross_entropy(log_softmax(z), tf.constant([2]))
    assert float(loss) == 2000
    assert tape.gradient(loss, z).numpy().tolist() == [[1, 0, -1]]


def test_batches_are_the_notebooks_slices_and_the_last_is_shorter(pictures: Labelled) -> None:
    some = Labelled(pictures.x[:300], pictures.y[:300])
    slices = list(batches(some, 128))
    assert [len(labels) for _, labels in slices] == [128, 128, 44]
    for n, (pixels, labels) in enumerate(slices):
        assert np.array_equal(pixels, normalize(some.x[128 * n : 128 * (n + 1)]))
        assert np.array_equal(labels, some.y[128 * n : 128 * (n + 1)])


def test_batches_of_a_whole_number_have_no_empty_one_at_the_end(pictures: Labelled) -> None:
    assert [len(labels) for _, labels in batches(Labelled(pictures.x[:256], pictures.y[:256]), 128)] == [128, 128]


def test_an_epoch_has_every_picture_once_with_its_label_in_an_order_of_its_own() -> None:
    numbers = np.arange(200, dtype=np.uint8)
    pictures = Labelled(np.broadcast_to(numbers[:, None, None], (200, 28, 28)), numbers % 10)
    first, second = shuffled(pictures, 0, 1), shuffled(pictures, 0, 2)
    for epoch in (first, second):
        assert np.array_equal(np.sort(epoch.x[:, 0, 0]), numbers)
        assert np.array_equal(epoch.x[:, 0, 0] % 10, epoch.y)
    assert not np.array_equal(first.y, second.y)
    assert np.array_equal(first.y, shuffled(pictures, 0, 1).y)
    assert not np.array_equal(first.y, shuffled(pictures, 1, 1).y)


@pytest.mark.parametrize(("recipe", "middle"), [(NAIVE, 0.0), (NOTEBOOK, 0.05)], ids=["centred", "the notebook's"])
def test_kernels_start_between_the_recipes_bounds_and_biases_at_zero(recipe: Naive, middle: float) -> None:
    w1, b1, w2, b2 = (weight.numpy() for weight in build_network(recipe, 0).weights)
    assert (w1.shape, b1.shape, w2.shape, b2.shape) == ((784, 512), (512,), (512, 10), (10,))
    for kernel in (w1, w2):
        assert recipe.init_from <= kernel.min() < recipe.init_from + 1e-3
        assert recipe.init_to - 1e-3 < kernel.max() <= np.float32(recipe.init_to)
        assert kernel.mean() == pytest.approx(middle, abs=2e-3)
    assert not b1.any()
    assert not b2.any()


@pytest.mark.parametrize(("recipe", "alike"), [(NAIVE, False), (NOTEBOOK, True)], ids=["centred", "the notebook's"])
def test_units_start_alike_where_all_kernels_are_positive(recipe: Naive, alike: bool, pictures: Labelled) -> None:
    network = build_network(recipe, 0)
    pixels = normalize(pictures.x[:500])
    hidden = network.layers[0](pixels).numpy()
    answers = network(pixels).numpy().argmax(axis=1)
    assert bool((hidden > 0).all()) is alike
    assert bool(np.median(np.corrcoef(hidden.T)) > 0.98) is alike
    assert bool(np.bincount(answers).max() > 0.95 * len(answers)) is alike  # nearly all read as the same class


def test_three_epochs_of_six_thousand_pictures_read_nine_in_ten(trained: Trained, held_out: Labelled) -> None:
    right = forward(trained.weights, normalize(held_out.x)).argmax(axis=1) == held_out.y
    assert 0.88 < right.mean() < 0.95
    assert trained.history[-1].held_out_accuracy == pytest.approx(right.mean(), abs=1e-9)
    assert [epoch.loss for epoch in trained.history] == sorted((each.loss for each in trained.history), reverse=True)


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(
    trained: Trained, pictures: Labelled, checkpoint: Checkpoint
) -> None:
    nothing = Labelled(pictures.x[:0], pictures.y[:0])
    again, other = (train_on(pictures, nothing, checkpoint, seed=seed) for seed in (0, 1))
    assert bytes_of(again.weights) == bytes_of(trained.weights)
    assert bytes_of(other.weights) != bytes_of(trained.weights)
    assert again.history[-1].held_out_loss is None


@pytest.mark.parametrize("finished", [1, 2, 3])
def test_resumed_after_any_epoch_it_ends_as_if_it_had_not_been_interrupted(
    finished: int, trained: Trained, checkpoint: Checkpoint, pictures: Labelled, held_out: Labelled
) -> None:
    train_on(pictures, held_out, checkpoint, replace(SHORT, epochs=finished))
    assert checkpoint.state is not None
    assert (checkpoint.state.epoch, len(checkpoint.state.history)) == (finished, finished)
    told = Told()
    resumed = train_on(pictures, held_out, Checkpoint(checkpoint.path, checkpoint.state), progress=told)
    assert bytes_of(resumed.weights) == bytes_of(trained.weights)
    assert resumed.history == trained.history
    assert told.begun == [1, 2, 3][finished:]


def test_progress_hears_of_each_epoch_and_of_every_picture(pictures: Labelled, checkpoint: Checkpoint) -> None:
    some, told = Labelled(pictures.x[:200], pictures.y[:200]), Told()
    trained = train_on(some, some, checkpoint, replace(NAIVE, epochs=2), progress=told)
    assert told.begun == [1, 2]
    assert told.pictures == 400
    assert tuple(told.ended) == trained.history


@pytest.fixture(scope="module")
def version(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "naive" / "1"
    export(trained.weights, folder)
    document = {"labels": [str(digit) for digit in range(10)], "fit": "digits"}
    (folder / "metadata.json").write_text(json.dumps(document))
    return folder


def test_exported_it_answers_as_it_was_trained(version: Path, trained: Trained, held_out: Labelled) -> None:
    pixels = normalize(held_out.x[:200])
    answers = saved_model.load(version)(pixels)
    assert np.abs(answers - forward(trained.weights, pixels)).max() <= 1e-5


def test_it_is_served_over_http_like_any_other(version: Path, trained: Trained, held_out: Labelled) -> None:
    some = held_out.x[:30]
    with serving(Settings(model_dir=version.parent)) as url:
        files = [("files", encode(picture)) for picture in some]
        results = httpx.post(url + "/predict/batch", files=files, timeout=60).json()["results"]
    assert [result["digit"] for result in results] == forward(trained.weights, normalize(some)).argmax(axis=1).tolist()
