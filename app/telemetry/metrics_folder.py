"""Folders of a process, such as that where the workers' metrics are added up, and what is left of others."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

PREFIX = "digits-metrics-"
NEW_SECONDS = 60  # whoever has made a folder has locked it by then
# In the environment of a worker: the folder, where prometheus_client adds the workers up by way of files, and which of
# them it is. One that takes another's place counts on in its files: there are no more of them after years.
FOLDER, PLACE = "PROMETHEUS_MULTIPROC_DIR", "PROMETHEUS_MULTIPROC_PLACE"


def metrics_folder() -> AbstractContextManager[str]:
    """The folder of some workers; see `owned_folder`."""
    return owned_folder(PREFIX)


@contextmanager
def owned_folder(prefix: str, parent: str | None = None) -> Iterator[str]:
    """A new folder in `parent`, by default the one for what is temporary. It is removed afterwards; so are those of
    the same prefix whose owners were killed before they could do that.

    The owner holds a lock on the folder, which goes with its process. The number of a process wouldn't do: in a
    container it is the same at every start.
    """
    parent = parent or tempfile.gettempdir()
    _remove_ownerless(Path(parent), prefix)
    new = tempfile.TemporaryDirectory(prefix=prefix, dir=parent, ignore_cleanup_errors=True)
    with new as folder, _locked(Path(folder)):
        yield folder


def _remove_ownerless(parent: Path, prefix: str) -> None:
    for folder in parent.glob(prefix + "*"):
        with suppress(OSError), _locked(folder):  # somebody's own, or somebody else's
            if time.time() > folder.stat().st_mtime + NEW_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Raises: OSError, when another process has it."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(lock)
