"""MNIST, and any dataset in its format: loaded, and verified at every load."""

import gzip
import hashlib
import json
import struct
import tokenize
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.images.normalize import SIDE
from app.model.metadata import CLASSES
from app.model.versions import first_line
from training.errors import TrainingError

DATA = Path(__file__).parent / "data"
EMBEDDED = DATA / "mnist.npz"
HASHES = DATA / "hashes.json"

ARRAYS = ("x_train", "y_train", "x_test", "y_test")
# The four files of the original distribution; some mirrors have a dot for the second hyphen.
IDX_FILES = {
    "x_train": ("train-images-idx3-ubyte", "train-images.idx3-ubyte"),
    "y_train": ("train-labels-idx1-ubyte", "train-labels.idx1-ubyte"),
    "x_test": ("t10k-images-idx3-ubyte", "t10k-images.idx3-ubyte"),
    "y_test": ("t10k-labels-idx1-ubyte", "t10k-labels.idx1-ubyte"),
}
IDX_UINT8 = 0x08  # the type code of unsigned bytes
# What numpy, zipfile and gzip raise on files that are missing, cut off or something else.
BROKEN_FILE = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
    tokenize.TokenError,
)

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Dataset:
    """`x_*`: uint8 (N, 28, 28), white ink (255) on black (0). `y_*`: uint8 (N,), classes 0..9.

    `source` names where it came from, without a path. `sha256` maps each array's name to the hash of its bytes.
    """

    x_train: Bytes
    y_train: Bytes
    x_test: Bytes
    y_test: Bytes
    source: str
    sha256: dict[str, str]


def load(path: Path | None = None) -> Dataset:
    """The embedded MNIST, or the dataset at `path`: an .npz file, or a folder of four IDX files, gzipped or not.

    MNIST: Y. LeCun, C. Cortes, C. J. C. Burges, derived from NIST's databases, CC BY-SA 3.0 (`data/README.md`).
    Raises: TrainingError, when it is missing, cut off, of another shape, or (the embedded one) not as published.
    """
    place = path or EMBEDDED
    arrays = _read_idx_folder(place) if place.is_dir() else _read_npz(place)
    _check(arrays, place)
    hashes = {name: hashlib.sha256(np.ascontiguousarray(array).data).hexdigest() for name, array in arrays.items()}
    if path is None:
        _check_published(hashes)
    return Dataset(**arrays, source="mnist (embedded)" if path is None else place.name, sha256=hashes)


def _read_npz(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise ValueError("it is no .npz archive")
            return {name: archive[name] for name in ARRAYS}
    except BROKEN_FILE as error:
        raise TrainingError(
            f"Expected an .npz file with {', '.join(ARRAYS)}, or a folder of IDX files, at {path}: {first_line(error)}."
        ) from error


def _read_idx_folder(folder: Path) -> dict[str, Bytes]:
    return {name: _read_idx(_find(folder, names)) for name, names in IDX_FILES.items()}


def _find(folder: Path, names: tuple[str, ...]) -> Path:
    candidates = [folder / (name + suffix) for name in names for suffix in ("", ".gz")]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise TrainingError(f"Expected {names[0]} or {names[0]}.gz in {folder}; there is neither.")


def _read_idx(path: Path) -> Bytes:
    """An IDX file of unsigned bytes: 0, 0, type, number of dimensions, their sizes (big-endian uint32), the data."""
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except BROKEN_FILE as error:
        raise TrainingError(f"Expected a whole gzip file at {path}: {first_line(error)}.") from error
    header = content[:4]
    if len(header) < 4 or header[:3] != bytes((0, 0, IDX_UINT8)) or len(content) < 4 + 4 * header[3]:
        raise TrainingError(f"Expected an IDX file of unsigned bytes at {path}; it begins with {header!r}.")
    shape = struct.unpack_from(f">{header[3]}I", content, 4)
    data = np.frombuffer(content, np.uint8, offset=4 + 4 * header[3])
    expected = int(np.prod(shape, dtype=object))
    if data.size != expected:
        raise TrainingError(f"Expected {expected} bytes of data in {path}, as its header says; found {data.size}.")
    return data.reshape(shape)


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
