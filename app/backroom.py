"""A thread for work that takes long, behind the event loop's back."""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")

# A loop that is never idle would never let the thread work. So the loop looks every LOOK_SECONDS whether the thread
# has had SHARE of them, and sleeps for what is missing: nobody waits longer for that than SHARE * LOOK_SECONDS, 1 ms.
# (Every 20 ms for 2 ms, p99 below is 4.3 ms instead of 3.2.)
LOOK_SECONDS, SHARE = 0.01, 0.1


class Backroom:
    """One thread, so that what is large is done one by one and needs the memory of one. To be used from one loop.

    On Linux the thread is of the kind that runs only while nothing else wants its core (SCHED_IDLE), and that leaves
    it at once when the loop has something to do. A mere "nice" value of 10 lets it go on to the next tick of the
    kernel's clock, 4 ms later: beside four connections of photographs, the p99 of 16 of small requests was 5.6 ms
    then; with this it is 3.2, and without photographs 1.5. A process of its own did no better than a thread.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "pictures", self._step_back)
        self._clock: int | None = None  # of the thread's CPU time
        self._used_s = 0.0  # of it, when the loop looked last
        self._under_way = 0
        self._next_look: asyncio.TimerHandle | None = None  # while anything is under way

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` gives, or the exception it raises."""
        loop = asyncio.get_running_loop()
        self._under_way += 1
        if self._next_look is None:
            self._next_look = loop.call_later(LOOK_SECONDS, self._look, loop)
        try:
            return await loop.run_in_executor(self._pool, work)
        finally:
            self._under_way -= 1
            if not self._under_way and self._next_look:
                self._next_look.cancel()
                self._next_look = None

    def _step_back(self) -> None:
        if sys.platform == "linux":  # elsewhere a priority is the whole process's
            self._clock = time.pthread_getcpuclockid(threading.get_ident())
            with suppress(OSError):  # where a sandbox forbids it, the thread works at the loop's own priority
                os.sched_setscheduler(threading.get_native_id(), os.SCHED_IDLE, os.sched_param(0))

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._clock is not None:
            before_s, self._used_s = self._used_s, time.clock_gettime(self._clock)
            missing_s = SHARE * LOOK_SECONDS - (self._used_s - before_s)
            if missing_s > 0:
                time.sleep(missing_s)  # on the loop, on purpose
        self._next_look = loop.call_later(LOOK_SECONDS, self._look, loop)
