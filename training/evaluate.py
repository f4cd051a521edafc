"""`python -m training evaluate`: how good a version is, as tables."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from app.model.model import Model
from training import dataset
from training.evaluation import Evaluation
from training.files import Bytes
from training.tables import table
from training.versions import evaluate, load_version, novelty

PAIRS = 5  # of classes that are taken for each other: the rest are rare


def report(folder: Path, data: Path | None) -> str:
    """Of the version in `folder`, or the newest there, on the test pictures of `data` (None: the embedded MNIST).

    Raises: TrainingError, when either can't be loaded.
    """
    pictures = dataset.load(data)
    model = load_version(folder)
    evaluation = evaluate(model, pictures.test)
    labels = model.metadata.labels
    parts = (
        f"{model.name} version {model.version} on {len(pictures.x_test)} test pictures of {pictures.source}",
        _figures(evaluation, warned(model, pictures.x_test)),
        _classes(evaluation, labels),
        _pairs(evaluation, labels),
    )
    return "\n\n".join(filter(None, parts))


def warned(model: Model, images: Bytes) -> float | None:
    """The share of `images`, uint8 (N, 28, 28), that are said not to look like digits; None, if that is never said."""
    threshold = model.metadata.not_a_digit
    return None if threshold is None else float((novelty(model, images) > threshold).mean())


def _figures(evaluation: Evaluation, false_alarms: float | None) -> str:
    low, high = evaluation.interval
    alarms = [] if false_alarms is None else [("said not to look like a digit", f"{false_alarms:.2%}")]
    return table(
        ("accuracy", f"{evaluation.accuracy:.2%}"),
        ("its 95% interval", f"{low:.2%} to {high:.2%}"),
        ("loss", f"{evaluation.log_loss:.4f}"),
        ("calibration error, 15 bins", f"{evaluation.calibration_error:.4f}"),
        *alarms,
    )


def _classes(evaluation: Evaluation, labels: Sequence[str]) -> str:
    rows = (
        (label, str(figures.pictures), _percent(figures.precision), _percent(figures.recall))
        for label, figures in zip(labels, evaluation.per_class, strict=True)
    )
    return table(("class", "pictures", "precision", "recall"), *rows)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.2%}"


def _pairs(evaluation: Evaluation, labels: Sequence[str]) -> str:
    rows = [(f"{labels[is_]} read as {labels[read]}", str(count)) for is_, read, count in most_confused(evaluation)]
    return table(("most often confused", "pictures"), *rows) if rows else ""


def most_confused(evaluation: Evaluation) -> Iterator[tuple[int, int, int]]:
    """The class that it is, the class it was read as, and how often: the most frequent mistakes first."""
    mistakes = evaluation.confusion * (1 - np.eye(len(evaluation.confusion), dtype=np.int64))
    for place in np.argsort(-mistakes, axis=None, kind="stable")[:PAIRS]:
        is_, read = divmod(int(place), len(mistakes))
        if mistakes[is_, read]:
            yield is_, read, int(mistakes[is_, read])
