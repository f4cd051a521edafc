"""The files to read: those that were named, those in folders, those on a list; and what is in them."""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif")
)
# More than any service takes by default, and than 64 megapixels need uncompressed. It is for the memory here.
MAX_FILE_BYTES = 2**28
LIST_BYTES = 2**16  # of a list, read at a time


class File(NamedTuple):
    """`name`: the path as it is written down. `trouble`: why there is no content; empty when there is."""

    name: str
    content: bytes
    trouble: str = ""


def find(given: Iterable[str]) -> Iterator[str]:
    """The paths in `given` as they come, in place of a folder all pictures below it, by name.

    What is hidden there, or has no suffix of a picture, is passed over; links to folders aren't followed.
    """
    for path in given:
        if Path(path).is_dir():
            yield from _below(path)
        else:
            yield path


def _below(folder: str) -> Iterator[str]:
    unreadable: list[str] = []  # they are handed on as files are, and fail as such: nothing is left out in silence
    for parent, folders, names in os.walk(folder, onerror=lambda error: unreadable.append(error.filename)):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if Path(name).suffix.lower() in SUFFIXES and not name.startswith("."):
                yield str(Path(parent, name))
        yield from unreadable
        unreadable.clear()
    yield from unreadable


def paths_on(listing: BinaryIO, end: bytes) -> Iterator[str]:
    """The paths on a list, each with `end` behind it (the last one perhaps not), as soon as they are there."""
    rest = b""
    while chunk := os.read(listing.fileno(), LIST_BYTES):
        *whole, rest = (rest + chunk).split(end)
        yield from (os.fsdecode(path) for path in whole if path)
    if rest:
        yield os.fsdecode(rest)


def name_of(path: str) -> str:
    """`path` as text that can be written anywhere, another one for each path.

    Where it isn't UTF-8, its bytes are written as \\xff; to tell that from names that have such text in them, these
    have their backslashes doubled.
    """
    raw = os.fsencode(path)
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        name = "\\x"
    return raw.replace(b"\\", b"\\\\").decode(errors="backslashreplace") if "\\x" in name else name


def size_of(path: str) -> int:
    """In bytes; 0 for what can't be read."""
    try:
        return Path(path).stat().st_size
    except (OSError, ValueError):
        return 0


def load(path: Path, name: str) -> File:
    """The file at `path`, or why it can't be read."""
    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):  # a pipe could be waited for till the end of time
            return File(name, b"", "Expected a file; this is something else.")
        if state.st_size > MAX_FILE_BYTES:
            return File(name, b"", f"Expected a file of at most {MAX_FILE_BYTES} bytes; it has {state.st_size}.")
        return File(name, path.read_bytes())
    except OSError as error:
        return File(name, b"", f"{error.strerror}.")
    except ValueError as error:  # no path at all, such as one with a zero byte in it
        return File(name, b"", f"Not a path: {error}.")
