"""The gate: what is worse than guessing, or than the versions it would take the place of, isn't published."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import takewhile
from pathlib import Path

import numpy as np

from app.model.metadata import DIGITS, Metadata
from app.model.versions import ModelError, list_versions
from training.comparison import compare, in_points
from training.dataset import Dataset
from training.errors import Refused, TrainingError
from training.evaluation import Evaluation
from training.versions import evaluate, load_version

Say = Callable[[str], None]


def check(evaluation: Evaluation, models: Path, data: Dataset, force: bool, say: Say) -> None:
    """Compares with what guessing would reach, and with two versions in `models`: the newest that was trained on the
    same data, and the newest of other data, if it is newer. `evaluation` is the new one's, on the test set of `data`;
    so is theirs. `say` is told what was found.

    Raises: Refused, when the new one is no better than guessing, or worse than one of those by more than its
    uncertainty, unless `force`.
    """
    _check_guessing(evaluation, data, force, say)
    for versions, of_what in (
        (_same_data(models, data), "of the same data"),
        (_other_data(models, data), "of other data"),
    ):
        found = _newest(versions, data, say)
        if found is not None:
            version, old = found
            _check_better(f"Version {version.name}, {of_what},", old, evaluation, force, say)


def _check_guessing(evaluation: Evaluation, data: Dataset, force: bool, say: Say) -> None:
    share = np.bincount(evaluation.truth).max() / len(evaluation.truth)
    if evaluation.accuracy <= share:
        sentence = (
            f"It is right for {evaluation.accuracy:.2%} of the test pictures of {data.source}; who always answers the "
            f"most frequent class is right for {share:.2%}."
        )
        _refuse(sentence, force, say)


def _newest(versions: Iterator[Path], data: Dataset, say: Say) -> tuple[Path, Evaluation] | None:
    """The first of `versions` that can be judged, and how good it is."""
    for version in versions:
        try:
            return version, evaluate(load_version(version), data.test)
        except TrainingError as error:
            say(f"version {version.name} isn't compared with: {error}")
    return None


def _check_better(name: str, old: Evaluation, new: Evaluation, force: bool, say: Say) -> None:
    comparison = compare(old.right, new.right)
    sentence = (
        f"{name} is right for {old.accuracy:.2%} of the test pictures, this one for {new.accuracy:.2%}: "
        f"{in_points(comparison)}."
    )
    if comparison.second_is_worse:
        _refuse(sentence, force, say)
    else:
        say(sentence)


def _refuse(sentence: str, force: bool, say: Say) -> None:
    if not force:
        raise Refused(sentence)
    say(sentence + " It is published all the same, as --force says.")


def check_classes(models: Path, data: Dataset) -> None:
    """Makes sure that the newest version in `models` has the classes of `data`: people ask that folder for them.

    Raises: TrainingError. No --force helps: other classes belong in another folder.
    """
    for version, there in _readable(models):
        if (there.labels, there.fits_digits) != (data.labels, data.fit == DIGITS):
            raise TrainingError(
                f"Expected the classes of version {version.name} in {models}, {', '.join(there.labels)}; "
                f"got {', '.join(data.labels)}. Name another folder: --models DIR."
            )
        return


def _same_data(models: Path, data: Dataset) -> Iterator[Path]:
    """The folders of the versions with the data's hashes in their metadata, newest first."""
    return (version for version, metadata in _readable(models) if _is_of(data, metadata))


def _other_data(models: Path, data: Dataset) -> Iterator[Path]:
    """The folders of the versions that are newer than the newest of the same data, newest first."""
    newer = takewhile(lambda each: not _is_of(data, each[1]), _readable(models))
    return (version for version, _ in newer)


def _readable(models: Path) -> Iterator[tuple[Path, Metadata]]:
    """The folders of the versions whose metadata can be read, newest first."""
    for number in reversed(list_versions(models)):
        version = models / str(number)
        with suppress(ModelError):
            yield version, Metadata.read(version)


def _is_of(data: Dataset, metadata: Metadata) -> bool:
    trained_on = metadata.document.get("data")
    return isinstance(trained_on, dict) and trained_on.get("sha256") == data.sha256
