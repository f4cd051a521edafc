"""The model folder: `<folder>/<version>/`, as TensorFlow Serving has it. Which versions are there, which is meant."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG
from typing import NamedTuple, NoReturn

PARTS = ("saved_model.pb", "variables", "metadata.json")  # what a version must have to count
VERSION = re.compile(r"0|[1-9][0-9]{0,17}")


class ModelError(Exception):
    """A model can't be served; the message says why, in a sentence for the operator."""


class Version(NamedTuple):
    """A version as it lies in the model folder. One that is replaced by another of the same number is another one.

    `files`: path within the folder, bytes and time of change (ns) of each file, in order. `trouble`: why the disk can't
    be read there; then nothing is known of the files.
    """

    folder: Path
    files: tuple[tuple[str, int, int], ...]
    trouble: str = ""


def first_line(error: Exception) -> str:
    """What `error` says, without what libraries put below it."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def list_versions(folder: Path) -> list[int]:
    """The complete versions in `folder`, oldest first. Anything else that lies there is passed over."""
    with suppress(OSError):
        every = [identify(folder / str(number)) for number in _numbers(folder)]
        return [int(each.folder.name) for each in every if each and not each.trouble]
    return []


def choose_version(folder: Path, wanted: int | None = None) -> Path:
    """The folder of the version `wanted`, or of the newest.

    Raises: ModelError, when there is none.
    """
    if not folder.is_dir():
        raise ModelError(f"Expected a model folder at {folder}, and there is none.")
    versions = list_versions(folder)
    if not versions:
        raise ModelError(f"Expected a version (a folder named 1, 2, ... with {', '.join(PARTS)}) in {folder}: none.")
    if wanted is None:
        return folder / str(versions[-1])
    if wanted not in versions:
        raise ModelError(f"Expected version {wanted} in {folder}; there is {', '.join(map(str, versions))}.")
    return folder / str(wanted)


def candidates(folder: Path, wanted: int | None = None) -> Iterator[Version]:
    """The complete versions in `folder`, newest first, or the version `wanted` alone.

    The disk is asked about a version when its turn comes: mostly about one. Raises: OSError, when `folder` can't be
    read, and so it isn't known what is there.
    """
    for number in reversed(_numbers(folder)):
        if wanted in (None, number) and (version := identify(folder / str(number))):
            yield version


def identify(folder: Path) -> Version | None:
    """The version in `folder` as it is now; None when it isn't complete, or vanishes meanwhile."""
    try:
        complete = all((folder / part).exists() for part in PARTS)
        return Version(folder, tuple(sorted(_files(folder)))) if complete else None
    except FileNotFoundError:
        return None
    except OSError as error:
        return Version(folder, (), str(error))


def _numbers(folder: Path) -> list[int]:
    """What is named as a version is, oldest first."""
    return sorted(int(entry.name) for entry in folder.iterdir() if VERSION.fullmatch(entry.name))


def _files(version: Path) -> Iterator[tuple[str, int, int]]:
    for folder, _, names in os.walk(version, onerror=_raise, followlinks=True):
        for name in names:
            path = Path(folder, name)
            with suppress(FileNotFoundError):  # it has just gone, or is a link to nowhere
                state = path.stat()
                if not S_ISREG(state.st_mode):  # whoever reads a pipe or a device may wait for ever
                    raise OSError(f"{path} is neither a file nor a folder")
                yield str(path.relative_to(version)), state.st_size, state.st_mtime_ns


def _raise(error: OSError) -> NoReturn:
    raise error
