"""Ending with status 0. Imports next to nothing, so that it can be called first of all."""

import os
import signal
import sys
from types import FrameType

_serving = False


def exit_on_signals() -> None:
    """Ends the process with status 0 on SIGTERM and SIGINT, from its first moment on.

    By default SIGTERM gives 143, and does nothing at all to the first process of a container. While it serves,
    uvicorn has handlers of its own; once everything is answered it puts these back and raises the signal again.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _exit)


def end_in_order() -> None:
    """From now on a signal raises SystemExit, so that everything open is closed.

    Before, it ends the process at once: there is nothing to close, and whatever runs while Python imports may
    swallow an exception (once in some forty starts it did).
    """
    global _serving
    _serving = True


def _exit(_number: int, _frame: FrameType | None) -> None:
    if not _serving:
        os._exit(0)
    sys.exit(0)
