"""Arrays from files: NumPy's .npz, and IDX, the format that MNIST was published in."""

import gzip
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.model.versions import first_line
from training.errors import TrainingError

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


def read_npz(path: Path, names: Iterable[str] | None = None) -> dict[str, Any]:
    """The arrays of these names, or all there are.

    Raises: one of BROKEN_FILE, when it is no .npz file, is damaged, or lacks one of them.
    """
    with path.open("rb") as file:
        if not zipfile.is_zipfile(file):  # else NumPy takes it for pickled objects, and says how to load them unsafely
            raise ValueError("it is no .npz archive")
        file.seek(0)
        with np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in names or archive.files}


def read_idx_folder(folder: Path) -> dict[str, Bytes]:
    """The four arrays of a dataset in MNIST's format, its files gzipped or not.

    Raises: TrainingError, when one is missing or damaged.
    """
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
