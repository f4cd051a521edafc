"""A thread for work that takes long, behind the event loop's back."""

import asyncio
import math
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from app.errors import Overloaded
from app.telemetry.metrics import count_large

T = TypeVar("T")

# A loop that is never idle would never let the thread work. So the loop looks every LOOK_SECONDS whether the thread
# has had SHARE of them, and sleeps for what is missing: nobody waits longer for that than SHARE * LOOK_SECONDS, 1 ms.
# (Every 20 ms for 2 ms, p99 below is 4.3 ms instead of 3.2.)
LOOK_SECONDS, SHARE = 0.01, 0.1
# So many may always wait, or as many as are done with in so many seconds: then an answer takes at most five times as
# long as when nobody else asks, though a part of the core goes to those who are refused. (Median and p99 of three
# times as many photographs as can be read, beside a busy neighbour: 62 and 166 ms; with 2, 94 and 238, for 2% more.)
QUEUE, QUEUE_SECONDS = 1, 0.01
# So many, as long as nobody had to be refused for CALM_SECONDS: eight who wait for their answers before they ask again,
# as `digits read` does, are no overload, and neither are a few who come at once. (Refused, they sleep for a second: 150
# photographs then take 25 s instead of 6.)
CALM_QUEUE, CALM_QUEUE_SECONDS = 8, 0.25
CALM_SECONDS = 0.5
# Who is let in has his place kept while his body arrives. Those who take longer may find it taken: kept for as long as
# they like, three clients who never send their bodies would keep everybody out.
EXPECT_SECONDS = 0.1
# What a step takes is the mean of the last ones: so much at first, and this is the weight of each that comes.
STEP_SECONDS, NEWS = 0.02, 0.2


class _Work:
    """Steps that are done one by one, with others' in between."""

    def __init__(self, steps: Sequence[Callable[[], Any]]) -> None:
        self._steps = deque(steps)
        self._results: list[Any] = []
        self.done: Future[list[Any]] = Future()

    @property
    def steps_left(self) -> int:
        """Those that haven't begun."""
        return len(self._steps)

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


class _Kind:
    """Those of one kind who wait, or have the thread."""

    def __init__(self) -> None:
        self.under_way: set[_Work] = set()
        self.turns: deque[_Work] = deque()  # of those who wait
        self.step_s = STEP_SECONDS
        self._refused_at = -math.inf  # the last of them, by time.monotonic

    def check(self, before: int, wait_s: float) -> None:
        """Raises: Overloaded, when one more would have too many before it and to wait for too long."""
        now = time.monotonic()
        is_calm = now - self._refused_at > CALM_SECONDS
        most, longest_s = (CALM_QUEUE, CALM_QUEUE_SECONDS) if is_calm else (QUEUE, QUEUE_SECONDS)
        if before > most and wait_s > longest_s:
            self._refused_at = now
            seconds = math.ceil(wait_s)
            in_time = "a second" if seconds == 1 else f"{seconds} seconds"
            raise Overloaded(f"{before} requests with much to do are waiting already; try again in {in_time}.", seconds)

    def learn(self, seconds: float) -> None:
        """What a step has taken."""
        self.step_s += NEWS * (seconds - self.step_s)


class Backroom:
    """One thread, so that what is large is done one by one and needs the memory of one. To be used from one loop.

    On Linux the thread is of the kind that runs only while nothing else wants its core (SCHED_IDLE), and that leaves
    it at once when the loop has something to do. A mere "nice" value of 10 lets it go on to the next tick of the
    kernel's clock, 4 ms later: beside four connections of photographs, the p99 of 16 of small requests was 5.6 ms
    then; with this it is 3.2, and without photographs 1.5. A process of its own did no better than a thread.

    What is done in one step has its turn in order. What takes several, a batch, has one step after QUEUE + 1 of these,
    and batches take turns among themselves: so nobody waits for a batch to end, nor is refused because of it.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "pictures", self._step_back)  # each step is announced to it once
        self._single, self._batch = _Kind(), _Kind()
        self._singles_done = 0  # since a batch had its turn
        self._clock: int | None = None  # of the thread's CPU time
        self._used_s = 0.0  # of it, when the loop looked last
        self._under_way = 0
        self._expected: deque[float] = deque()  # until when, by time.monotonic, each kept place is kept
        self._next_look: asyncio.TimerHandle | None = None  # while anything is under way

    def check_room(self, steps: int = 1) -> None:
        """Raises: Overloaded, when what has so many steps would wait for too long."""
        if steps == 1:
            self._check_single(0)
        else:
            batches = self._batch.under_way
            self._batch.check(len(batches), sum(each.steps_left for each in batches) * self._batch.step_s)

    @contextmanager
    def expecting(self) -> Iterator[None]:
        """Keeps a place for one step while what it is about arrives. Raises: Overloaded, as `check_room`."""
        now = time.monotonic()
        while self._expected and self._expected[0] < now:
            self._expected.popleft()
        self._check_single(len(self._expected))
        until = now + EXPECT_SECONDS
        self._expected.append(until)
        try:
            yield
        finally:
            with suppress(ValueError):  # it has been kept for long enough
                self._expected.remove(until)

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` gives, or the exception it raises. Cancelled before its turn, it is never done."""
        return (await self.run_each([work]))[0]

    async def run_each(self, steps: Sequence[Callable[[], T]]) -> list[T]:
        """What each of `steps` gives, or the first exception that one raises. Others have their turns in between."""
        kind, work = self._batch if len(steps) > 1 else self._single, _Work(steps)
        self._begin(asyncio.get_running_loop())
        kind.under_way.add(work)
        kind.turns.append(work)
        self._pool.submit(self._turn)
        try:
            return await asyncio.wrap_future(work.done)
        finally:
            kind.under_way.remove(work)
            self._end()

    def _check_single(self, expected: int) -> None:
        before = len(self._single.under_way) + expected
        self._single.check(before, (before - 1) * self._single.step_s)  # the one whose step is being done doesn't wait

    def _turn(self) -> None:
        """In the thread: a step of who is next."""
        is_batch = not self._single.turns or (bool(self._batch.turns) and self._singles_done > QUEUE)
        self._singles_done = 0 if is_batch else self._singles_done + 1
        kind = self._batch if is_batch else self._single
        work = kind.turns.popleft()
        if work.done.cancelled():
            return
        begin = time.monotonic()
        goes_on = work.go_on()
        kind.learn(time.monotonic() - begin)
        if goes_on:
            kind.turns.append(work)
            self._pool.submit(self._turn)

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._next_look is None:
            self._next_look = loop.call_later(LOOK_SECONDS, self._look, loop)
        self._under_way += 1
        count_large(1)

    def _end(self) -> None:
        self._under_way -= 1
        count_large(-1)
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
