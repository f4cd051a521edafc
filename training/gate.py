"""The gate: what is worse than the version it would take the place of isn't published."""

from collections.abc import Callable, Iterator
from pathlib import Path

from app.model.metadata import DIGITS, Metadata
from app.model.versions import ModelError, list_versions
from training.comparison import Comparison, compare, in_points
from training.dataset import Dataset
from training.errors import Refused, TrainingError
from training.evaluation import Evaluation
from training.versions import evaluate, load_version

Say = Callable[[str], None]


def check(evaluation: Evaluation, models: Path, data: Dataset, force: bool, say: Say) -> None:
    """Compares with the newest version in `models` that was trained on the same data, if there is one; `evaluation` is
    the new one's, on the test set. `say` is told what was found.

    Raises: Refused, when the new one is worse by more than its uncertainty, unless `force`.
    """
    for version in _same_data(models, data):
        try:
            old = evaluate(load_version(version), data.test)
        except TrainingError as error:
            say(f"version {version.name} isn't compared with: {error}")
            continue
        comparison = compare(old.right, evaluation.right)
        sentence = _sentence(version, old, evaluation, comparison)
        if comparison.second_is_worse and not force:
            raise Refused(sentence)
        say(sentence + (" It is published all the same, as --force says." if comparison.second_is_worse else ""))
        return


def check_classes(models: Path, data: Dataset) -> None:
    """Makes sure that the newest version in `models` has the classes of `data`: people ask that folder for them.

    Raises: TrainingError. No --force helps: other classes belong in another folder.
    """
    for number in reversed(list_versions(models)):
        try:
            there = Metadata.read(models / str(number))
        except ModelError:
            continue
        if (there.labels, there.fits_digits) != (data.labels, data.fit == DIGITS):
            raise TrainingError(
                f"Expected the classes of version {number} in {models}, {', '.join(there.labels)}; "
                f"got {', '.join(data.labels)}. Name another folder: --models DIR."
            )
        return


def _same_data(models: Path, data: Dataset) -> Iterator[Path]:
    """The folders of the versions with the data's hashes in their metadata, newest first."""
    for number in reversed(list_versions(models)):
        version = models / str(number)
        try:
            document = Metadata.read(version).document
        except ModelError:
            continue
        trained_on = document.get("data")
        if isinstance(trained_on, dict) and trained_on.get("sha256") == data.sha256:
            yield version


def _sentence(version: Path, old: Evaluation, new: Evaluation, comparison: Comparison) -> str:
    return (
        f"Version {version.name}, of the same data, is right for {old.accuracy:.2%} of the test pictures, "
        f"this one for {new.accuracy:.2%}: {in_points(comparison)}."
    )
