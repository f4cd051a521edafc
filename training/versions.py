"""Versions that are there already, as the service would load them, and how good they are."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.images.normalize import normalize
from app.model import saved_model
from app.model.litert import FILE
from app.model.metadata import CLASSES
from app.model.model import Model
from app.model.versions import VERSION, ModelError, choose_version
from training import dataset
from training.convert import write_converted
from training.dataset import Labelled
from training.errors import TrainingError
from training.evaluation import Evaluation
from training.files import Bytes


def load_version(folder: Path) -> Model:
    """The version whose folder this is, or the newest of a model folder.

    Raises: TrainingError, when there is none, or it can't be loaded.
    """
    try:
        return saved_model.load(_version(folder))
    except ModelError as error:
        raise TrainingError(str(error)) from error


def convert(folder: Path, data: Path | None) -> str:
    """Writes for LiteRT what `folder` names, checked on the test pictures of `data`, and says so.

    Raises: TrainingError, when there is no version, the two models differ, or nothing can be written.
    """
    pictures = dataset.load(data).x_test
    try:
        version = _version(folder)
        written = write_converted(version, saved_model.load(version), pictures)
    except ModelError as error:
        raise TrainingError(str(error)) from error
    said = f"wrote {version / FILE}" if written else f"{version / FILE} is there already"
    return f"{said}: answers {len(pictures):,} test pictures as the SavedModel does"


def _version(folder: Path) -> Path:
    is_version = VERSION.fullmatch(folder.resolve().name)
    return folder.resolve() if is_version else choose_version(folder)


def novelty(model: Model, images: Bytes) -> NDArray[np.float32]:
    """How unlike a digit each of `images`, uint8 (N, 28, 28), is to `model`, which must judge that: float32 (N,)."""
    return model.judge(normalize(images))[:, CLASSES]


def evaluate(model: Model, pictures: Labelled) -> Evaluation:
    """What `model` says to `pictures`."""
    return Evaluation(model(normalize(pictures.x)), pictures.y)
