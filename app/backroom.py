"""A thread for work that takes long, behind the event loop's back."""

import asyncio
import math
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from app.errors import Overloaded

T = TypeVar("T")

# A loop that is never idle would never let the thread work. So the loop looks every LOOK_SECONDS whether the thread
# has had SHARE of them, and sleeps for what is missing: nobody waits longer for that than SHARE * LOOK_SECONDS, 1 ms.
# (Every 20 ms for 2 ms, p99 below is 4.3 ms instead of 3.2.)
LOOK_SECONDS, SHARE = 0.01, 0.1
# So many may always wait: then an answer takes at most five times as long as when nobody else asks.
QUEUE = 3
# More may, if their work takes no longer than this in all; at first, when the thread has just begun to have something
# to do, than that: a few who come at once are no overload.
QUEUE_SECONDS, BURST_SECONDS = 0.05, 0.3
FIRST_SECONDS = 1.0
# What a step takes is the mean of the last ones: so much at first, and this is the weight of each that comes.
STEP_SECONDS, NEWS = 0.02, 0.2


class _Work:
    """Steps that are done one by one, with others' in between."""

    def __init__(self, steps: Sequence[Callable[[], Any]]) -> None:
        self._steps = deque(steps)
        self._results: list[Any] = []
        self.done: Future[list[Any]] = Future()

    def go_on(self) -> bool:
        """Does a step. Whether there is another."""
        try:
            self._results.append(self._steps.popleft()())
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            self._steps.clear()
            if self.done.set_running_or_notify_cancel():
                self.done.set_exception(error)
            return False
        if not self._steps and self.done.set_running_or_notify_cancel():
            self.done.set_result(self._results)
        return bool(self._steps)


class Backroom:
    """One thread, so that what is large is done one by one and needs the memory of one. To be used from one loop.

    On Linux the thread is of the kind that runs only while nothing else wants its core (SCHED_IDLE), and that leaves
    it at once when the loop has something to do. A mere "nice" value of 10 lets it go on to the next tick of the
    kernel's clock, 4 ms later: beside four connections of photographs, the p99 of 16 of small requests was 5.6 ms
    then; with this it is 3.2, and without photographs 1.5. A process of its own did no better than a thread.

    Those who wait take turns, a step each, so that nobody waits for a batch of photographs.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "pictures", self._step_back)
        self._turns: deque[_Work] = deque()  # of those who wait; each is announced to the pool once a turn
        self._step_s = STEP_SECONDS
        self._clock: int | None = None  # of the thread's CPU time
        self._used_s = 0.0  # of it, when the loop looked last
        self._under_way = 0
        self._busy_since = 0.0  # by time.monotonic, while anything is under way
        self._next_look: asyncio.TimerHandle | None = None  # while anything is under way

    def check_room(self) -> None:
        """Raises: Overloaded, when one more would wait for too long."""
        waiting = self._under_way - 1  # but for the one whose step is being done
        wait_s = waiting * self._step_s
        has_begun = time.monotonic() - self._busy_since < FIRST_SECONDS
        if waiting >= QUEUE and wait_s > (BURST_SECONDS if has_begun else QUEUE_SECONDS):
            raise Overloaded(
                f"{waiting} requests with much to do are waiting already; try again in a second.",
                retry_after_s=math.ceil(wait_s),
            )

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` gives, or the exception it raises. Cancelled before its turn, it is never done."""
        return (await self.run_each([work]))[0]

    async def run_each(self, steps: Sequence[Callable[[], T]]) -> list[T]:
        """What each of `steps` gives, or the first exception that one raises. Others have their turns in between."""
        work = _Work(steps)
        self._begin(asyncio.get_running_loop())
        self._turns.append(work)
        self._pool.submit(self._turn)
        try:
            return await asyncio.wrap_future(work.done)
        finally:
            self._end()

    def _turn(self) -> None:
        """In the thread: a step of who has waited for longest."""
        work = self._turns.popleft()
        if work.done.cancelled():
            return
        begin = time.monotonic()
        goes_on = work.go_on()
        self._step_s += NEWS * (time.monotonic() - begin - self._step_s)
        if goes_on:
            self._turns.append(work)
            self._pool.submit(self._turn)

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._under_way += 1
        if self._next_look is None:
            self._busy_since = time.monotonic()
            self._next_look = loop.call_later(LOOK_SECONDS, self._look, loop)

    def _end(self) -> None:
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
