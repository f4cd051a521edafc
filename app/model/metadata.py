"""What `metadata.json` of a version tells: where it comes from, how good it is, what its classes are called."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from app.model.versions import ModelError

CLASSES = 10
FILE = "metadata.json"
DIGITS, NEVER = "digits", "never"
NOT_A_DIGIT = "not_a_digit"
LARGEST = 1e6  # no score of a network comes near it


@dataclass(frozen=True)
class Metadata:
    """`labels`: the name of each class, in the order of the probabilities. `document`: the file as it stands.

    `fits_digits`: pictures may be prepared as digits are (`"fit": "digits"`), which would spoil others (`"never"`).
    `not_a_digit`: the novelty above which a picture is said not to look like a digit; None: it is never said.
    """

    labels: tuple[str, ...]
    fits_digits: bool
    document: dict[str, Any] = field(repr=False)
    not_a_digit: float | None = None

    @classmethod
    def read(cls, version: Path) -> "Metadata":
        """Raises: ModelError, when the file is missing, no JSON object that can be shown, has no ten labels, or a wrong
        `fit` or threshold.
        """
        try:
            document = json.loads((version / FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise ModelError(f"{version / FILE} can't be read: {error}.") from error
        labels = document.get("labels") if isinstance(document, dict) else None
        if not (isinstance(labels, list) and len(labels) == CLASSES and all(isinstance(x, str) for x in labels)):
            raise ModelError(f"Expected a list of {CLASSES} strings as 'labels' in {version / FILE}; got {labels!r}.")
        fit = document.get("fit", DIGITS)
        if fit not in (DIGITS, NEVER):
            raise ModelError(f"Expected {DIGITS!r} or {NEVER!r} as 'fit' in {version / FILE}; got {fit!r}.")
        metadata = cls(tuple(labels), fit == DIGITS, document, _threshold(document, version))
        try:
            orjson.dumps(document)
        except orjson.JSONEncodeError as error:  # half a character, say, can be read but not be written
            raise ModelError(f"{version / FILE} can't be shown as JSON: {error}.") from error
        return metadata


def _threshold(document: dict[str, Any], version: Path) -> float | None:
    thresholds = document.get("thresholds", {})
    if not isinstance(thresholds, dict):
        raise ModelError(f"Expected an object as 'thresholds' in {version / FILE}; got {thresholds!r}.")
    threshold = thresholds.get(NOT_A_DIGIT)
    if threshold is None:
        return None
    if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not abs(threshold) < LARGEST:
        raise ModelError(f"Expected a number as the threshold {NOT_A_DIGIT!r} in {version / FILE}; got {threshold!r}.")
    return float(threshold)
