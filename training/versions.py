"""Versions that are there already, as the service would load them, and how good they are."""

from pathlib import Path

from app.images.normalize import normalize
from app.model import saved_model
from app.model.saved_model import SavedModel
from app.model.versions import VERSION, ModelError, choose_version
from training.dataset import Labelled
from training.errors import TrainingError
from training.evaluation import Evaluation


def load_version(folder: Path) -> SavedModel:
    """The version whose folder this is, or the newest of a model folder.

    Raises: TrainingError, when there is none, or it can't be loaded.
    """
    try:
        is_version = VERSION.fullmatch(folder.resolve().name)
        return saved_model.load(folder.resolve() if is_version else choose_version(folder))
    except ModelError as error:
        raise TrainingError(str(error)) from error


def evaluate(model: SavedModel, pictures: Labelled) -> Evaluation:
    """What `model` says to `pictures`."""
    return Evaluation(model(normalize(pictures.x)), pictures.y)
