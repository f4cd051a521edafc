"""What is written is there to stay, and to be read by whoever serves it."""

import os
from pathlib import Path


def settle(path: Path) -> None:
    """Has `path`, and all that is in it, readable for the service, which may run as another user, and on the disk: a
    power cut can't leave empty files once they are renamed.
    """
    for each in [path, *path.rglob("*")]:
        each.chmod(0o755 if each.is_dir() else 0o644)
        flush(each)


def flush(path: Path) -> None:
    """Has a file, or the list of a folder, on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
