"""MNIST, and any dataset in its format: loaded, and verified at every load."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from app.images.normalize import SIDE
from app.model.metadata import CLASSES, DIGITS, NEVER
from app.model.versions import first_line
from training.errors import TrainingError
from training.files import BROKEN_FILE, Bytes, read_idx_folder, read_npz
from training.labels import DIGIT_LABELS, read_labels

DATA = Path(__file__).parent / "data"
EMBEDDED = DATA / "mnist.npz"
HASHES = DATA / "hashes.json"
ARRAYS = ("x_train", "y_train", "x_test", "y_test")


class Labelled(NamedTuple):
    """`x`: uint8 (N, 28, 28), white ink (255) on black (0). `y`: the classes, uint8 (N,), 0..9."""

    x: Bytes
    y: Bytes


@dataclass(frozen=True)
class Dataset:
    """`x_*`: uint8 (N, 28, 28), white ink (255) on black (0). `y_*`: uint8 (N,), classes 0..9.

    `source` names where it came from, without a path. `sha256` maps each array's name to the hash of its bytes.
    `labels` names the ten classes; `fit` says whether pictures of them may be prepared as digits are.
    """

    x_train: Bytes
    y_train: Bytes
    x_test: Bytes
    y_test: Bytes
    source: str
    sha256: dict[str, str]
    labels: tuple[str, ...] = DIGIT_LABELS
    fit: str = DIGITS

    @property
    def test(self) -> Labelled:
        """The pictures that are looked at once a version is finished, and never to choose anything."""
        return Labelled(self.x_test, self.y_test)

    def split(self, held_out: int) -> tuple[Labelled, Labelled]:
        """The training pictures, but for the last `held_out`; and those.

        Raises: TrainingError, when none would be left to train on.
        """
        kept = len(self.x_train) - held_out
        if kept < 1:
            raise TrainingError(
                f"Expected more than the {held_out} training pictures that are held out, in {self.source}; "
                f"found {len(self.x_train)}."
            )
        return Labelled(self.x_train[:kept], self.y_train[:kept]), Labelled(self.x_train[kept:], self.y_train[kept:])


def load(path: Path | None = None, labels: Path | None = None) -> Dataset:
    """The embedded MNIST, or the dataset at `path`: an .npz file, or a folder of four IDX files, gzipped or not.

    `labels` is a file with the names of ten classes that aren't digits; without one they are digits.

    MNIST: Y. LeCun, C. Cortes, C. J. C. Burges, derived from NIST's databases, CC BY-SA 3.0 (`data/README.md`).
    Raises: TrainingError, when it is missing, cut off, of another shape, or (the embedded one) not as published.
    """
    names, fit = (DIGIT_LABELS, DIGITS) if labels is None else (read_labels(labels), NEVER)
    place = path or EMBEDDED
    arrays = read_idx_folder(place) if place.is_dir() else _read_npz(place)
    _check(arrays, place)
    hashes = {name: hashlib.sha256(np.ascontiguousarray(array).data).hexdigest() for name, array in arrays.items()}
    if path is None:
        _check_published(hashes)
    source = "mnist (embedded)" if path is None else place.name
    return Dataset(**arrays, source=source, sha256=hashes, labels=names, fit=fit)


def _read_npz(path: Path) -> dict[str, Any]:
    try:
        return read_npz(path, ARRAYS)
    except BROKEN_FILE as error:
        raise TrainingError(
            f"Expected an .npz file with {', '.join(ARRAYS)}, or a folder of IDX files, at {path}: {first_line(error)}."
        ) from error


def _check(arrays: dict[str, Any], path: Path) -> None:
    for split in ("train", "test"):
        images, labels = arrays[f"x_{split}"], arrays[f"y_{split}"]
        if images.dtype != np.uint8 or images.shape[1:] != (SIDE, SIDE) or not len(images):
            raise TrainingError(
                f"Expected x_{split} of {path} to be uint8 pictures of {SIDE}x{SIDE}; "
                f"found {images.dtype} {images.shape}."
            )
        if labels.dtype != np.uint8 or labels.shape != images.shape[:1]:
            raise TrainingError(
                f"Expected y_{split} of {path} to be {len(images)} labels, uint8; found {labels.dtype} {labels.shape}."
            )
        if labels.max() >= CLASSES:
            raise TrainingError(
                f"Expected labels from 0 to {CLASSES - 1} in y_{split} of {path}; found {labels.max()}."
            )


def _check_published(hashes: dict[str, str]) -> None:
    published = json.loads(HASHES.read_text(encoding="utf-8"))
    for name in ARRAYS:
        if hashes[name] != published[name]:
            raise TrainingError(
                f"Expected {name} of the embedded MNIST to have the SHA-256 {published[name]}; it has {hashes[name]}."
            )
