"""Several processes that serve one address, each with a model of its own and one core to keep busy."""

import logging
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess

from prometheus_client import multiprocess

from app.process.errors import StartError
from app.process.lifecycle import Lifecycle
from app.process.listeners import admit_again
from app.process.signals import SIGNALS, exit_on_signals
from app.process.stopping import AGAIN_SECONDS, KILL_SECONDS, announce, drain_of
from app.settings import Settings
from app.telemetry.metrics_folder import FOLDER, PLACE, metrics_folder

log = logging.getLogger("digits")

# A worker gives a sign of life each second or two, but not while it imports TensorFlow: for seconds, on a slow machine
# for many.
SILENCE_SECONDS = 60
LOOK_SECONDS = 5  # between two looks at those who live
# Who lives shorter has died early: the second in a row is replaced after 1 s, the next after 2, 4, ...
EARLY_SECONDS, MAX_DELAY_SECONDS = 30, 30


def run_workers(settings: Settings, listeners: list[socket.socket]) -> None:
    """Runs as many workers as there are `listeners`, until a signal. Raises: NoFolder."""
    with ExitStack() as until_the_end:
        signals = until_the_end.enter_context(_signals_read())
        try:
            os.environ[FOLDER] = until_the_end.enter_context(metrics_folder())
        except OSError as error:
            raise NoFolder(f"several workers need a folder to add up their metrics in: {error}.") from error
        Workers(settings, listeners, signals).run()


class NoFolder(StartError):
    """There is no folder that can be written; the message says why."""


@dataclass
class _Worker:
    """One place among the workers, and who has it."""

    index: int
    process: SpawnProcess
    started: float  # time.monotonic, as all times here
    early_deaths: int = 0  # in a row
    due: float | None = None  # the one that has it is dead, and this is when the next is to be started

    def __str__(self) -> str:
        return f"worker {self.index + 1} ({self.process.pid})"


class Workers:
    """Starts the workers, replaces those that die or hang, and ends them.

    Each has a listening socket, and the kernel deals new connections out over them. From one socket for all, whoever
    wakes first takes what is there: 64 connections that come at once may all end at one worker while the other has
    nothing to do, and at best two workers answered 1.2 times what one does, not 1.5. This process keeps the sockets
    open until it is to stop, so those who wait at a worker that died are served by the one that takes its place, or by
    the others (`app.process.orphans`).

    `signals`: a file to read the numbers of signals from.
    """

    def __init__(self, settings: Settings, listeners: list[socket.socket], signals: int) -> None:
        self._settings = settings
        self._listeners = listeners
        self._signals = signals
        self._spawn = multiprocessing.get_context("spawn")  # forked, TensorFlow hangs
        resource_tracker.ensure_running()  # with the first worker, it would unblock the signals that are blocked there
        self._loaded = self._spawn.RawArray("b", len(listeners))
        self._heard, self._orphaned = (self._spawn.RawArray("d", len(listeners)) for _ in range(2))
        self._workers: list[_Worker] = []
        self._looked = self._went_on = time.monotonic()

    def run(self) -> None:
        """Returns after a signal, when all have ended."""
        self._workers = [_Worker(index, self._start(index), time.monotonic()) for index in range(len(self._listeners))]
        while self._signals not in wait([self._signals, *self._sentinels()], self._until_next_look()):
            self._look()
        self._stop(os.read(self._signals, 1)[0])

    def _look(self) -> None:
        now = time.monotonic()
        if now > self._looked + 2 * LOOK_SECONDS:  # all of us were stopped, as `docker pause` does it
            self._went_on = now
        self._looked = now
        for each in self._workers:
            self._look_after(each, now)

    def _start(self, index: int, replaces: bool = False) -> SpawnProcess:
        lifecycle = Lifecycle(self._loaded, self._heard, self._orphaned, index, replaces)
        arguments = (self._settings, self._listeners, lifecycle, os.getpid())
        process = self._spawn.Process(target=_work, args=arguments)
        os.environ[PLACE] = str(index)  # for the worker, which counts from its first import on
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # in the worker, too, which waits for them
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        return process

    def _look_after(self, worker: _Worker, now: float) -> None:
        if worker.due is not None:
            if now >= worker.due:
                self._replace(worker, now)
        elif not worker.process.is_alive():
            self._bury(worker, now)
        elif now - max(worker.started, self._heard[worker.index], self._went_on) > SILENCE_SECONDS:
            log.error("%s has not been heard of for %d s, and is killed", worker, SILENCE_SECONDS)
            worker.process.kill()

    def _replace(self, worker: _Worker, now: float) -> None:
        try:
            worker.process, worker.started, worker.due = self._start(worker.index, replaces=True), now, None
        except OSError as error:  # no memory, no process or no file to be had
            worker.due = now + LOOK_SECONDS
            log.error("worker %d can't be started: %s; another try in %d s", worker.index + 1, error, LOOK_SECONDS)

    def _bury(self, worker: _Worker, now: float) -> None:
        worker.early_deaths = worker.early_deaths + 1 if now - worker.started < EARLY_SECONDS else 0
        delay_s = min(2 ** (worker.early_deaths - 2), MAX_DELAY_SECONDS) if worker.early_deaths > 1 else 0
        worker.due = now + delay_s
        when = f" in {delay_s} s" if delay_s else ""
        log.error("%s ended %s; another takes its place%s", worker, _reason(worker.process), when)
        self._orphaned[worker.index] = self._orphaned[worker.index] or now
        admit_again(self._listeners[worker.index])
        multiprocess.mark_process_dead(worker.process.pid)  # type: ignore[no-untyped-call]

    def _sentinels(self) -> list[int]:
        return [each.process.sentinel for each in self._workers if each.process.is_alive()]

    def _until_next_look(self) -> float:
        """In seconds: at once for who is dead, later for who is to be started or may hang."""
        now = time.monotonic()
        return max(0.0, min(_next_look(each, now) for each in self._workers))

    def _stop(self, number: int) -> None:
        """Hands the signal on and waits; kills those that hang, or all when there is a second signal."""
        announce(number, self._settings.drain_seconds)
        for each in self._listeners:
            each.close()  # now they are the workers' own, and who connects after them is refused
        for worker in self._workers:
            if worker.process.is_alive():
                os.kill(worker.process.pid or 0, number)
        begin = time.monotonic()
        end = begin + drain_of(number, self._settings.drain_seconds) + KILL_SECONDS
        while (sentinels := self._sentinels()) and (left := end - time.monotonic()) > 0:
            if self._signals in wait([self._signals, *sentinels], left):
                os.read(self._signals, 1)
                if time.monotonic() > begin + AGAIN_SECONDS:
                    break
        for worker in self._workers:
            worker.process.kill()
            worker.process.join()


def _next_look(worker: _Worker, now: float) -> float:
    if worker.due is not None:
        return worker.due - now
    return LOOK_SECONDS if worker.process.is_alive() else 0


def _reason(process: SpawnProcess) -> str:
    status = process.exitcode or 0
    if status >= 0:
        return f"with status {status}"
    try:
        return f"by {signal.Signals(-status).name}"
    except ValueError:  # one of the real-time signals, most of which have no name
        return f"by signal {-status}"


@contextmanager
def _signals_read() -> Iterator[int]:
    """A file from which the number of each signal that comes can be read."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)
    for number in SIGNALS:
        signal.signal(number, lambda *_: None)
    try:
        yield reading
    finally:
        signal.set_wakeup_fd(-1)
        exit_on_signals()


def _work(settings: Settings, listeners: list[socket.socket], lifecycle: Lifecycle, supervisor: int) -> None:
    """What a worker does: the same as a single process does, but that it ends, too, when the supervisor is gone.

    Killed by SIGKILL, that one can't end its workers, and they would keep the address for themselves.
    """
    threading.Thread(target=_end_without, args=(supervisor,), daemon=True).start()
    from app.process.server import serve_one  # which imports this module

    serve_one(settings, listeners, lifecycle)


def _end_without(supervisor: int) -> None:
    while os.getppid() == supervisor:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)
