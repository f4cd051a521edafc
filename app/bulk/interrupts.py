"""Ctrl-C and SIGTERM: the first asks for an end, the second makes one."""

import os
import signal
from collections.abc import Callable

from app.process.signals import SIGNALS, hear_signals

INTERRUPTED = 130


class Interrupts:
    """Hears signals from now on; to be made before there are other threads, and once. No handler: see `hear_signals`.

    `act` is called with the first, in another thread; without it, and with the second, the process ends at once.

    A process that starts a cluster, `handled`, runs no model, and has handlers instead: what it starts would inherit
    that signals are blocked.
    """

    def __init__(self, handled: bool = False) -> None:
        self.act: Callable[[], object] | None = None
        if handled:
            for number in SIGNALS:
                signal.signal(number, lambda number, _: self._hear(number))
        else:
            hear_signals(self._hear)

    def _hear(self, _: object) -> None:
        act, self.act = self.act, None
        if act is None:
            os._exit(INTERRUPTED)
        act()
