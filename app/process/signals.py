"""Ending with status 0. Imports next to nothing, so that it can be called first of all."""

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

SIGNALS = (signal.SIGTERM, signal.SIGINT)


def exit_on_signals() -> None:
    """Ends the process with status 0 on SIGTERM and SIGINT, from its first moment on.

    By default SIGTERM gives 143, and does nothing at all to the first process of a container. It ends at once: there
    is nothing to close, and whatever runs while Python imports may swallow an exception (once in some forty starts it
    did). Who serves takes the signals in another way: `hear_signals`, and `app.process.workers`.
    """
    for number in SIGNALS:
        signal.signal(number, _exit)


def hear_signals(hear: Callable[[signal.Signals], object]) -> None:
    """From now on `hear` is called with each SIGTERM and SIGINT, in a thread of its own.

    To be called before other threads start: none of them is interrupted then. oneDNN, with which TensorFlow multiplies,
    uses what lies below the end of the stack, and there the system puts what it needs to interrupt a thread. Of 38
    stops under load with a handler as usual, 6 destroyed the heap, and one gave two wrong answers.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    threading.Thread(target=_hear, args=(hear,), daemon=True).start()


def leave() -> NoReturn:
    """Ends the process with status 0, and waits for no thread: one may be at a photograph, or load a model."""
    from app.telemetry.stderr import STDERR  # here, for it needs more than the first moments have

    STDERR.finish()
    os._exit(0)


def _exit(_number: int, _frame: FrameType | None) -> None:
    os._exit(0)


def _hear(hear: Callable[[signal.Signals], object]) -> None:
    while True:
        hear(signal.Signals(signal.sigwait(SIGNALS)))
