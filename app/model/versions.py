"""The model folder: `<folder>/<version>/`, as TensorFlow Serving has it. Which versions are there, which is meant."""

import re
from pathlib import Path

PARTS = ("saved_model.pb", "variables", "metadata.json")  # what a version must have to count
VERSION = re.compile(r"0|[1-9][0-9]{0,17}")


class ModelError(Exception):
    """A model can't be served; the message says why, in a sentence for the operator."""


def first_line(error: Exception) -> str:
    """What `error` says, without what libraries put below it."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def list_versions(folder: Path) -> list[int]:
    """The complete versions in `folder`, oldest first. Anything else that lies there is passed over."""
    try:
        names = [entry.name for entry in folder.iterdir() if VERSION.fullmatch(entry.name)]
    except OSError:
        return []
    return sorted(int(name) for name in names if _is_complete(folder / name))


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


def _is_complete(version: Path) -> bool:
    try:
        return all((version / part).exists() for part in PARTS)
    except OSError:  # not for us to read
        return False
