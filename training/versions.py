"""Versions that are there already, as the service would load them, and how good they are."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.images.normalize import normalize
from app.model import saved_model
from app.model.metadata import CLASSES
from app.model.saved_model import SavedModel
from app.model.versions import VERSION, ModelError, choose_version
from training.dataset import Labelled
from training.errors import TrainingError
from training.evaluation import Evaluation
from training.files import Bytes


def load_version(folder: Path) -> SavedModel:
    """The version whose folder this is, or the newest of a model folder.

    Raises: TrainingError, when there is none, or it can't be loaded.
    """
    try:
        is_version = VERSION.fullmatch(folder.resolve().name)
        return saved_model.load(folder.resolve() if is_version else choose_version(folder))
    except ModelError as error:
        raise TrainingError(str(error)) from error


def novelty(model: SavedModel, images: Bytes) -> NDArray[np.float32]:
    """How unlike a digit each of `images`, uint8 (N, 28, 28), is to `model`, which must judge that: float32 (N,)."""
    return model.judge(normalize(images))[:, CLASSES]


def evaluate(model: SavedModel, pictures: Labelled) -> Evaluation:
    """What `model` says to `pictures`."""
    return Evaluation(model(normalize(pictures.x)), pictures.y)
