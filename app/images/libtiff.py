"""libtiff tells of each damaged file on standard error by itself: past the log, its form, its care not to wait."""

import ctypes
from contextlib import suppress

from PIL import _imaging

SETTERS = ("TIFFSetErrorHandler", "TIFFSetWarningHandler")


def silence_libtiff() -> None:
    """Takes its voice, for the whole process. Where Pillow's libtiff can't be reached, it goes on talking.

    Somebody who sends damaged files could fill a pipe that nobody reads, and then the service would stand still.
    """
    with suppress(OSError, AttributeError):  # a library that isn't there, or that doesn't show its functions
        pillow = ctypes.CDLL(_imaging.__file__)  # what it is linked with is found by its handle, too
        for setter in SETTERS:
            getattr(pillow, setter)(None)
