"""All 10,000 test pictures through the HTTP application, against the SavedModel and against NumPy."""

import asyncio

import httpx
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from app.images.normalize import normalize
from app.model.model import Model
from tests.support import encode, forward
from training.dataset import Dataset

CONNECTIONS = 16


async def _ask_all(url: str, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The probabilities of each image, asked for one by one over some connections at once."""
    answers = np.zeros((len(images), 10))
    todo = iter(range(len(images)))

    async def ask(client: httpx.AsyncClient) -> None:
        for index in todo:
            response = await client.post("/predict", files={"file": encode(images[index])})
            answer = response.json()
            assert answer["digit"] == np.argmax(answer["probabilities"])
            answers[index] = answer["probabilities"]

    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        await asyncio.gather(*(ask(client) for _ in range(CONNECTIONS)))
    return answers


@pytest.fixture(scope="module")
def answers(shipped_url: str, mnist: Dataset) -> NDArray[np.float64]:
    return asyncio.run(_ask_all(shipped_url, mnist.x_test))


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
