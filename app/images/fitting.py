"""The door to all that needs OpenCV, and imports it when the first picture comes that isn't 28x28 already.

OpenCV and what stands on it take 20 MB and 80 ms, which a service that is sent digits as MNIST's alone never pays.
"""

import logging
import sys
from contextlib import suppress
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from app.errors import Overloaded
from app.images.normalize import Grey

if TYPE_CHECKING:
    from app.images.fit import Fitted
    from app.images.groups import Group, Piece
    from app.images.segment import Segmented

log = logging.getLogger("digits")

MAX_DIGITS = 256  # in a picture


def fit(grey: Grey) -> "Fitted":
    """See `app.images.fit.fit`. Raises: also Overloaded, when the machine has no room to import it."""
    return _room("fit").fit(grey)


def segment_file(data: bytes, max_pixels: int) -> "Segmented":
    """See `app.images.segment.segment_file`. Raises: also Overloaded, when the machine has no room to import it."""
    return _room("segment").segment_file(data, max_pixels)


def choose(pieces: "list[Piece]", groups: "list[Group]", probabilities: NDArray[np.float32], alone: bool) -> list[int]:
    """See `app.images.choice.choose`."""
    return _room("choice").choose(pieces, groups, probabilities, alone)


def is_imported() -> bool:
    """Whether the next picture can be fitted at once."""
    return "app.images.fit" in sys.modules


def import_now() -> None:
    """For who has the memory, so that no picture waits for it. If there is none, the first picture tries again."""
    with suppress(Overloaded):
        _room("segment")


def _room(name: str) -> ModuleType:
    try:
        return import_module(f"app.images.{name}")
    except (ImportError, OSError, MemoryError) as error:  # what is there can be imported, but for files and memory
        log.error("app.images.%s can't be imported now: %s", name, error)
        raise Overloaded("The machine has no memory or files left; try again in a second.") from error
