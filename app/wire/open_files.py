"""How many connections the system lets a process have, each of which is an open file."""

import resource
from contextlib import suppress

from app.process.errors import StartError

OTHER_FILES = 128  # that a process has open: sockets, libraries, the model while it is loaded


class TooFewFiles(StartError):
    """The system lets this process open too few files for any connection; the message says how many."""


def room_for_connections(wanted: int) -> int:
    """How many of `wanted` connections there may be, once the limit of open files is raised as far as it goes.

    Raises: TooFewFiles, when it is none.
    """
    files = _raised(wanted + OTHER_FILES)
    if files <= OTHER_FILES:
        raise TooFewFiles(
            f"expected to be let open more than {OTHER_FILES} files; the system allows {files} (ulimit -n)."
        )
    return min(wanted, files - OTHER_FILES)


def _raised(wanted: int) -> int:
    """The limit of open files, as high as the system lets it be: macOS promises more than it gives."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for possible in (hard, max(soft, min(wanted, hard))):
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (possible, hard))
            return possible
    return soft
