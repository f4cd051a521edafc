"""What `metadata.json` of a version tells: where it comes from, how good it is, what its classes are called."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.model.versions import ModelError

CLASSES = 10
FILE = "metadata.json"
DIGITS, NEVER = "digits", "never"


@dataclass(frozen=True)
class Metadata:
    """`labels`: the name of each class, in the order of the probabilities. `document`: the file as it stands.

    `fits_digits`: pictures may be prepared as digits are (`"fit": "digits"`), which would spoil others (`"never"`).
    """

    labels: tuple[str, ...]
    fits_digits: bool
    document: dict[str, Any] = field(repr=False)

    @classmethod
    def read(cls, version: Path) -> "Metadata":
        """Raises: ModelError, when the file is missing, no JSON object, or has no ten labels."""
        try:
            document = json.loads((version / FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ModelError(f"{version / FILE} can't be read: {error}.") from error
        labels = document.get("labels") if isinstance(document, dict) else None
        if not (isinstance(labels, list) and len(labels) == CLASSES and all(isinstance(x, str) for x in labels)):
            raise ModelError(f"Expected a list of {CLASSES} strings as 'labels' in {version / FILE}; got {labels!r}.")
        fit = document.get("fit", DIGITS)
        if fit not in (DIGITS, NEVER):
            raise ModelError(f"Expected {DIGITS!r} or {NEVER!r} as 'fit' in {version / FILE}; got {fit!r}.")
        return cls(tuple(labels), fit == DIGITS, document)
