"""All 10,000 test pictures through the HTTP application, against the SavedModel and against NumPy."""

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from urllib.parse import urlsplit

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from app.images.normalize import normalize
from app.model.model import Model
from benchmarks.exchanges import Exchange, upload
from tests.support import forward
from training.dataset import Dataset

CONNECTIONS = 4


def ask_for(url: str, exchange: Exchange, indices: Iterable[int], answers: NDArray[np.float64]) -> None:
    """The probabilities of the images at `indices`, asked for one by one over a connection of its own."""
    with closing(HTTPConnection(urlsplit(url).netloc)) as connection:
        for index in indices:
            answer = json.loads(exchange.ask(connection, index))
            assert answer["digit"] == np.argmax(answer["probabilities"])
            answers[index] = answer["probabilities"]


@pytest.fixture(scope="module")
def answers(shipped_url: str, mnist: Dataset) -> NDArray[np.float64]:
    answers = np.full((len(mnist.x_test), 10), np.nan)
    exchange = upload(mnist.x_test)
    todo = iter(range(len(answers)))  # shared: who is free takes the next
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        for done in [threads.submit(ask_for, shipped_url, exchange, todo, answers) for _ in range(CONNECTIONS)]:
            done.result()
    return answers


def test_they_are_the_saved_models_own(answers: NDArray[np.float64], shipped: Model, mnist: Dataset) -> None:
    # as the notebook prepares them, written out here and not taken from the service
    pixels = mnist.x_test.reshape((10000, 28 * 28)).astype("float32") / 255
    expected = shipped._loaded.signatures["serving_default"](pixels=tf.constant(pixels))["probabilities"].numpy()
    assert (answers.argmax(axis=1) == expected.argmax(axis=1)).all()
    assert np.abs(answers - expected).max() <= 1e-5
    assert np.abs(shipped(normalize(mnist.x_test)) - expected).max() == 0


def test_they_are_those_of_a_forward_pass_in_numpy(
    answers: NDArray[np.float64], shipped: Model, mnist: Dataset
) -> None:
    module = shipped._loaded
    weights = [each.numpy() for each in (module.w1, module.b1, module.w2, module.b2)]
    expected = forward(weights, mnist.x_test.reshape((10000, 784)).astype(np.float32) / np.float32(255))
    assert (answers.argmax(axis=1) == expected.argmax(axis=1)).all()
    assert np.abs(answers - expected).max() <= 1e-5


def test_the_accuracy_is_that_of_the_metadata(answers: NDArray[np.float64], shipped: Model, mnist: Dataset) -> None:
    accuracy = float((answers.argmax(axis=1) == mnist.y_test).mean())
    assert accuracy == pytest.approx(shipped.metadata.document["metrics"]["test_accuracy"], abs=1e-9)
    assert 0.975 <= accuracy < 0.999  # 100% would mean that the labels leaked into the answers
