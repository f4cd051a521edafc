"""Importances: held to TensorFlow's own gradients, and to the sum that they must have."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import tensorflow as tf

from app.errors import CannotExplain, Overloaded
from app.images.normalize import normalize
from app.model import saved_model, signature
from app.model.explain import Explanation, Network, find_network, stretches
from app.model.model import Model
from app.reader import Reader
from tests.conftest import tiny_weights
from tests.support import SEVEN, SHIPPED, SHIPPED_VERSION, band, encode
from training.dataset import Dataset
from training.export import DigitsModule

SMALL_DIFFERENCE = 0.2  # below it, 1% would be less than what float32 and the stretches leave


@pytest.fixture(scope="module")
def loaded() -> Any:
    return tf.saved_model.load(str(SHIPPED / str(SHIPPED_VERSION)))


def error_of_sum(why: Explanation) -> float:
    """How far the importances' sum is from the difference of the scores, as a part of it."""
    difference = why.picture - why.baseline
    return abs(float(why.importances.sum()) - difference) / max(abs(difference), SMALL_DIFFERENCE)


@pytest.mark.parametrize("index", range(10))
def test_importances_are_the_gradients_that_tensorflow_finds(
    loaded: Any, shipped: Model, mnist: Dataset, index: int
) -> None:
    pixels = normalize(mnist.x_test[index])
    digit = int(shipped(pixels[np.newaxis]).argmax())
    places, lengths = stretches(loaded.b1.numpy(), pixels @ loaded.w1.numpy())
    way = tf.constant(places[:, np.newaxis] * pixels)
    with tf.GradientTape() as tape:
        tape.watch(way)
        score = tf.math.log(loaded.signatures["serving_default"](pixels=way)["probabilities"][:, digit])
    gradients = tape.gradient(score, way).numpy()
    expected = pixels * (lengths @ gradients)
    assert np.abs(expected).max() > 0.05
    assert np.abs(shipped.explain(pixels, digit).importances - expected).max() <= 1e-4


def test_importances_add_up_for_a_thousand_pictures(shipped: Model, mnist: Dataset) -> None:
    pixels = normalize(mnist.x_test[:1000])
    digits = shipped(pixels).argmax(axis=1)
    errors = [error_of_sum(shipped.explain(row, int(digit))) for row, digit in zip(pixels, digits, strict=True)]
    assert max(errors) < 0.002


def test_importances_add_up_for_pictures_that_are_no_digits(shipped: Model, mnist: Dataset) -> None:
    random = np.random.default_rng(4)
    noise = random.random((50, 784), np.float32)
    negatives, faint = 1 - normalize(mnist.x_test[:50]), normalize(mnist.x_test[:50]) / 50
    for row in (*noise, *negatives, *faint):
        assert error_of_sum(shipped.explain(row, int(shipped(row[np.newaxis]).argmax()))) < 0.01


def test_scores_are_the_log_probabilities_of_picture_and_black(shipped: Model, mnist: Dataset) -> None:
    pixels = normalize(mnist.x_test[7])
    why = shipped.explain(pixels, 9)
    answers = shipped(np.stack([np.zeros_like(pixels), pixels]))[:, 9]
    assert [why.baseline, why.picture] == pytest.approx(np.log(answers).tolist(), abs=1e-5)


def test_a_black_picture_has_nothing_to_explain(shipped: Model) -> None:
    why = shipped.explain(np.zeros(784, np.float32), 3)
    assert not why.importances.any()
    assert why.picture == why.baseline < 0


def test_over_http_they_add_up_and_the_answer_is_that_of_predict(shipped_url: str, mnist: Dataset) -> None:
    with httpx.Client(base_url=shipped_url, timeout=30) as client:
        for image in mnist.x_test[:100]:
            answer = client.post("/explain?preview=true", files={"file": encode(image)}).json()
            importances, score = np.array(answer.pop("importances")), answer.pop("score")
            assert importances.shape == (28, 28)
            difference = score["picture"] - score["baseline"]
            assert abs(importances.sum() - difference) <= 0.01 * abs(difference)
            assert np.exp(score["picture"]) == pytest.approx(answer["confidence"], abs=1e-5)
            assert not importances[image == 0].any()
            predicted = client.post("/predict?preview=true", files={"file": encode(image)}).json()
            assert answer.pop("probabilities") == pytest.approx(predicted.pop("probabilities"), abs=1e-5)
            assert answer.pop("confidence") == pytest.approx(predicted.pop("confidence"), abs=1e-5)
            assert answer == predicted


def test_they_say_where_the_ink_is_that_decides(client: httpx.Client) -> None:
    # the tiny model goes by the brightest of ten bands: band 3 is ink for a 3, and a fainter band 5 against it
    image = band(3) + band(5) // 2
    importances = np.array(client.post("/explain", content=encode(image)).json()["importances"])
    assert (importances[10:12] > 0).all()
    assert (importances[14:16] < 0).all()
    assert np.count_nonzero(importances) == 4 * 28


def test_the_picture_may_be_the_body_and_queries_are_those_of_predict(client: httpx.Client) -> None:
    assert client.post("/explain?fit=never", content=encode(band(4))).json()["digit"] == 4
    assert client.post("/explain?fit=sometimes", content=encode(band(4))).status_code == 400
    assert "preview" not in client.post("/explain", content=encode(band(4))).json()["picture"]


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 400), (b"hello", 415), (SEVEN.read_bytes()[:100], 422), (b"x" * 1_000_001, 413)],
    ids=["empty", "text", "cut off", "too large"],
)
def test_errors_are_those_of_predict(client: httpx.Client, body: bytes, status: int) -> None:
    explained, predicted = client.post("/explain", content=body), client.post("/predict", content=body)
    assert explained.status_code == predicted.status_code == status
    ours, theirs = explained.json(), predicted.json()
    assert ours.pop("request_id") != theirs.pop("request_id")
    assert ours == theirs


def test_a_request_counts_against_max_pending(shipped: Model) -> None:
    reader = Reader(shipped, max_pixels=1_000_000, max_batch=64, max_pending=1)

    async def two() -> list[Any]:
        data = SEVEN.read_bytes()
        return list(await asyncio.gather(reader.explain(data), reader.explain(data), return_exceptions=True))

    for _ in range(3):
        (answer, _), refused = asyncio.run(two())
        assert answer.digit == 7
        assert isinstance(refused, Overloaded)


@pytest.mark.parametrize("change", ["other names", "other shapes", "another function"])
def test_another_network_is_not_explained(change: str) -> None:
    weights = tiny_weights()
    module = DigitsModule(weights)
    answers = signature.build(module.pixels.get_concrete_function())

    def found(columns: slice = slice(None)) -> Network | None:
        return find_network(saved_model._networks(module), lambda pixels: answers(pixels)[:, columns])

    assert found() is not None
    if change == "other names":
        del module.w1
    elif change == "other shapes":
        module.b1 = tf.Variable(np.zeros(100, np.float32))
    assert found(slice(None, None, -1 if change == "another function" else 1)) is None


def test_a_model_that_cannot_be_explained_answers_and_says_so(tmp_path: Path, tiny_models: Path) -> None:
    version = shutil.copytree(tiny_models / "1", tmp_path / "other" / "1")
    wrapped = tf.Module()
    wrapped.inner = inner = DigitsModule(tiny_weights())
    tf.saved_model.save(wrapped, str(version), signatures={"serving_default": inner.pixels, "images": inner.images})
    reader = Reader(saved_model.load(version), max_pixels=1_000_000, max_batch=64, max_pending=4)
    assert asyncio.run(reader.read(encode(band(6)))).digit == 6
    with pytest.raises(CannotExplain, match="other version 1 is another one"):
        asyncio.run(reader.explain(encode(band(6))))
