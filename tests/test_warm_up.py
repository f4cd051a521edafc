"""TensorFlow Serving's own messages read the warm-up records back, and the model answers them."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from app.model.tensors import BATCHES
from tests.conftest import write_version
from tests.support import SHIPPED, SHIPPED_VERSIONS
from training.warm_up import FILE, write_warm_up


def check(version: Path, name: str) -> None:
    signatures = tf.saved_model.load(str(version)).signatures
    asked = []
    for record in tf.data.TFRecordDataset(str(version / FILE)).as_numpy_iterator():
        log = prediction_log_pb2.PredictionLog.FromString(record)
        request = log.predict_log.request
        assert request.model_spec.name == name
        given = {tensor: tf.constant(tf.make_ndarray(value)) for tensor, value in request.inputs.items()}
        rows = signatures[request.model_spec.signature_name](**given)["probabilities"].numpy()
        assert np.isfinite(rows).all()
        asked.append((request.model_spec.signature_name, len(rows)))
    assert asked == [(signature, size) for size in BATCHES for signature in ("serving_default", "images")]


def test_the_records_are_what_tensorflow_serving_reads(tmp_path: Path) -> None:
    version = write_version(tmp_path, 1)
    write_warm_up(version, "digits")
    check(version, "digits")


@pytest.mark.parametrize("number", SHIPPED_VERSIONS)
def test_the_shipped_versions_have_them(number: str) -> None:
    check(SHIPPED / number, "mnist_mlp")
