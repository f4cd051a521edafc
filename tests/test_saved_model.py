"""Loading a version: what is right answers, what is broken is refused with a sentence."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from app.images.normalize import normalize
from app.model import saved_model
from app.model.model import Model
from app.model.versions import ModelError
from tests.conftest import tiny_weights, write_version
from tests.support import band, forward
from training.export import export


@pytest.fixture
def version(tmp_path: Path, tiny_models: Path) -> Path:
    return shutil.copytree(tiny_models / "1", tmp_path / "tiny" / "1")


def test_it_knows_its_name_version_and_labels(version: Path) -> None:
    model = saved_model.load(version)
    assert (model.name, model.version) == ("tiny", 1)
    assert model.metadata.labels[3] == "digit 3"


def test_it_answers_as_the_same_weights_do_in_numpy(version: Path) -> None:
    model = saved_model.load(version)
    pixels = np.random.default_rng(3).random((50, 784), np.float32)
    expected = forward(tiny_weights(), pixels)
    for size in (1, 7, 50):
        assert np.abs(model(pixels[:size]) - expected[:size]).max() <= 1e-5


def test_it_reads_the_bands(version: Path) -> None:
    answers = saved_model.load(version)(normalize(np.stack([band(digit) for digit in range(10)])))
    assert answers.argmax(axis=1).tolist() == list(range(10))


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("saved_model.pb", b"", "TensorFlow can't load"),
        ("saved_model.pb", b"\xff" * 100, "TensorFlow can't load"),
        ("variables/variables.index", b"", "TensorFlow can't load"),
        ("variables/variables.data-00000-of-00001", b"", "TensorFlow can't load"),
        ("metadata.json", b"{", "metadata.json can't be read"),
        ("metadata.json", b"[]", "list of 10 strings"),
        ("metadata.json", b'{"labels": ["0"]}', "list of 10 strings"),
    ],
)
def test_a_broken_version_is_refused(version: Path, file: str, content: bytes, message: str) -> None:
    (version / file).write_bytes(content)
    with pytest.raises(ModelError, match=message):
        saved_model.load(version)


def write_module(folder: Path, **functions: tf.types.experimental.GenericFunction) -> Path:
    tf.saved_model.save(tf.Module(), str(folder), signatures=functions)
    (folder / "metadata.json").write_text(json.dumps({"labels": [str(digit) for digit in range(10)]}))
    return folder


def signature(
    name: str, shape: list[int | None], dtype: tf.DType, output: str
) -> tf.types.experimental.GenericFunction:
    """Some function with one input and one output, float32 (N, 10), all 0.5."""

    def answer(**inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return {output: tf.fill([tf.shape(next(iter(inputs.values())))[0], 10], 0.5)}

    return tf.function(answer).get_concrete_function(**{name: tf.TensorSpec(shape, dtype, name)})


@pytest.mark.parametrize(
    ("functions", "message"),
    [
        ({"other": ("pixels", [None, 784], tf.float32, "probabilities")}, "Expected the signature 'serving_default'"),
        ({"serving_default": ("x", [None, 784], tf.float32, "probabilities")}, "takes .*pixels.*; it takes .*'x'"),
        ({"serving_default": ("pixels", [None, 783], tf.float32, "probabilities")}, "takes .*784.*783"),
        ({"serving_default": ("pixels", [1, 784], tf.float32, "probabilities")}, r"takes .*\(1, 784\)"),
        ({"serving_default": ("pixels", [None, 784], tf.float64, "probabilities")}, "takes .*float32.*float64"),
        ({"serving_default": ("pixels", [None, 784], tf.float32, "logits")}, "gives .*probabilities.*logits"),
        ({"serving_default": ("pixels", [None, 784], tf.float32, "probabilities")}, "Expected the signature 'images'"),
    ],
)
def test_a_wrong_signature_is_refused(
    tmp_path: Path, functions: dict[str, tuple[str, list[int | None], tf.DType, str]], message: str
) -> None:
    made = {name: signature(*arguments) for name, arguments in functions.items()}
    with pytest.raises(ModelError, match=message):
        saved_model.load(write_module(tmp_path / "1", **made))


def test_what_does_not_add_up_to_1_is_refused(tmp_path: Path) -> None:
    weights = [each * np.float32(np.nan) for each in tiny_weights()]
    version = write_version(tmp_path, 1)
    shutil.rmtree(version / "variables")
    export(weights, version)
    with pytest.raises(ModelError, match="add up to 1"):
        saved_model.load(version)


def test_the_shipped_models_two_signatures_agree(shipped: Model, mnist: object) -> None:
    images = mnist.x_test[:500]  # type: ignore[attr-defined]
    answer = shipped._loaded.signatures["images"](images=tf.constant(images))
    probabilities = shipped(normalize(images))
    assert (answer["digits"].numpy() == probabilities.argmax(axis=1)).all()
    assert np.abs(answer["probabilities"].numpy() - probabilities).max() <= 1e-5
