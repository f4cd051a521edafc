"""The requests that TensorFlow Serving sends to a version before it serves it, so that nobody's first one is slow."""

from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from app.images.normalize import SIDE, normalize
from app.model.tensors import BATCHES

FILE = Path("assets.extra", "tf_serving_warmup_requests")


def write_warm_up(version: Path, name: str) -> None:
    """Writes one request of each batch size for each signature that takes pictures into the folder `version`.

    `name`: the model's, as TensorFlow Serving will know it.
    """
    (version / FILE).parent.mkdir()
    with tf.io.TFRecordWriter(str(version / FILE)) as file:
        for size in BATCHES:
            images = np.zeros((size, SIDE, SIDE), np.uint8)
            file.write(_prediction_log(name, "serving_default", "pixels", normalize(images)))
            file.write(_prediction_log(name, "images", "images", images))


def _prediction_log(name: str, signature: str, tensor: str, value: NDArray[np.uint8] | NDArray[np.float32]) -> bytes:
    """A tensorflow.serving.PredictionLog (apis/prediction_log.proto), written field by field: the package that knows
    the message wants a second TensorFlow.
    """
    model_spec = _field(1, name.encode()) + _field(3, signature.encode())
    given = _field(1, tensor.encode()) + _field(2, tf.make_tensor_proto(value).SerializeToString())
    request = _field(1, model_spec) + _field(2, given)
    return _field(6, _field(1, request))  # PredictionLog.predict_log, PredictLog.request


def _field(number: int, content: bytes) -> bytes:
    """A field of bytes, text or a message in protobuf's wire format."""
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    more, last = divmod(number, 128)
    if not more:
        return bytes([last])
    return bytes([last | 128]) + _varint(more)
