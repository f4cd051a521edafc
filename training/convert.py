"""A SavedModel → the same for LiteRT, in the version's folder, once it is sure to answer alike."""

from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np
import tensorflow as tf

from app.images.normalize import normalize
from app.model import litert
from app.model.litert import FILE, HASH, hash_of
from app.model.metadata import CLASSES, Metadata
from app.model.model import Model
from app.model.tensors import TOLERANCE, Rows, difference
from training.durable import settle
from training.errors import TrainingError
from training.files import Bytes

AT_ONCE = 1000  # pictures


def write_converted(version: Path, original: Model, images: Bytes) -> bool:
    """Converts the SavedModel in the folder `version`, loaded as `original`, and writes it there, where TensorFlow
    Serving ignores it.

    Gives False where the same lies there already. Raises: TrainingError, when the two answer differently to `images`,
    uint8 (N, 28, 28), or it can't be written; nothing is then. ModelError, when LiteRT can't load it.
    """
    content = convert(version)
    check_same(litert.from_content(content, version), original, images)
    files = {version / FILE: content, version / HASH: hash_of(content).encode()}
    try:
        if all(path.exists() and path.read_bytes() == wanted for path, wanted in files.items()):
            return False
        (version / FILE).parent.mkdir(exist_ok=True)
        for path, wanted in files.items():
            _write(path, wanted)
        settle((version / FILE).parent)
    except OSError as error:
        raise TrainingError(f"Can't write into {version}: {error}.") from error
    return True


def _write(path: Path, content: bytes) -> None:
    """In one step: a service that watches the folder finds it whole, or not at all."""
    with NamedTemporaryFile(dir=path.parent, prefix=".incoming-", delete=False) as file:
        incoming = Path(file.name)
        try:
            file.write(content)
            file.flush()
            settle(incoming)
            incoming.replace(path)
        finally:
            incoming.unlink(missing_ok=True)


def convert(version: Path) -> bytes:
    """The signature that the service calls, as LiteRT reads it."""
    signature = "serving_default" if Metadata.read(version).not_a_digit is None else "judged"
    content: bytes = tf.lite.TFLiteConverter.from_saved_model(str(version), signature_keys=[signature]).convert()
    return content


def check_same(converted: Model, original: Model, images: Bytes) -> None:
    """Compares what the two answer to `images`, uint8 (N, 28, 28).

    Raises: TrainingError, when a number differs by more than TOLERANCE, or a picture is of another class.
    """
    for start in range(0, len(images), AT_ONCE):
        pixels = normalize(images[start : start + AT_ONCE])
        rows, expected = converted.judge(pixels), original.judge(pixels)
        apart, others = difference(rows, expected), _of_another_class(rows, expected)
        if others or not apart <= TOLERANCE:
            raise TrainingError(
                f"Expected the model converted for LiteRT to answer as the SavedModel does: each number within "
                f"{TOLERANCE}, each picture of the same class. They differ by {apart}, and in the class of {others} "
                f"of {len(pixels)} pictures."
            )


def _of_another_class(rows: Rows, expected: Rows) -> int:
    """How many; two classes that are as likely as each other within TOLERANCE count as the same."""
    chosen = expected[np.arange(len(rows)), rows[:, :CLASSES].argmax(axis=1)]
    return int((expected[:, :CLASSES].max(axis=1) - chosen > TOLERANCE).sum())
