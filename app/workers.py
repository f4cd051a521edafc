"""Several processes that serve one address, each with a model of its own and one core to keep busy."""

import os
import signal
import socket
import tempfile
import threading
import time

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors.multiprocess import Multiprocess, Process

from app.signals import exit_on_signals

# A worker imports TensorFlow for seconds, on a slow machine for many, and can't answer its supervisor meanwhile.
SILENCE_SECONDS = 60
# So long the supervisor waits for an answer at a time; in between it looks for signals.
PING_SECONDS = 1
# A worker's last requests have five seconds, and the rest of refused bodies two; Docker kills after ten.
END_SECONDS = 8


def run_workers(config: uvicorn.Config, listeners: list[socket.socket]) -> None:
    """Runs as many workers as there are `listeners`, until a signal."""
    with tempfile.TemporaryDirectory(prefix="digits-metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder  # prometheus_client adds the workers up by way of files here
        Workers(config, listeners).run()


class Workers(Multiprocess):
    """uvicorn's supervisor, with a listening socket for each worker.

    The kernel deals new connections out over the sockets. From one socket for all, whoever wakes first takes what is
    there: 64 connections that come at once may all end at one worker while the other has nothing to do, and at best
    two workers answered 1.2 times what one does, not 1.5. This process keeps the sockets open, so those who wait at a
    worker that died are served by the one that takes its place.
    """

    def __init__(self, config: uvicorn.Config, listeners: list[socket.socket]) -> None:
        super().__init__(config, listeners)
        self._heard: dict[int, float] = {}  # when each worker last answered, or was started

    def init_processes(self) -> None:
        """Starts them all."""
        self.processes = [self._start(index) for index in range(len(self.sockets))]

    def keep_subprocess_alive(self) -> None:
        """Replaces those that have ended, or have not been heard of for SILENCE_SECONDS."""
        for index, worker in enumerate(self.processes):
            if self.should_exit.is_set() or self.signal_queue:
                return
            if worker.is_alive(PING_SECONDS):
                self._heard[index] = time.monotonic()
            elif not worker.process.is_alive() or time.monotonic() - self._heard[index] > SILENCE_SECONDS:
                worker.kill()
                worker.join()
                if worker.exitcode == STARTUP_FAILURE:  # and so would the next
                    self.should_exit.set()
                else:
                    self.processes[index] = self._start(index)

    def terminate_all(self) -> None:
        """Ends them; who connects from now on is refused, as by a single process."""
        for each in self.sockets:
            each.close()
        super().terminate_all()

    def join_all(self) -> None:
        """Waits for their end, and kills those that hang."""
        deadline = time.monotonic() + END_SECONDS
        for each in self.processes:
            each.process.join(max(0.0, deadline - time.monotonic()))
            each.kill()
            each.join()

    def handle_hup(self) -> None:
        """Nothing: their number is fixed, as each has its socket. So with the next two."""

    handle_ttin = handle_ttou = handle_hup

    def _start(self, index: int) -> Process:
        worker = _Worker(self.config, [self.sockets[index]])
        worker.start()
        self._heard[index] = time.monotonic()
        return worker


class _Worker(Process):
    """A process that ends as a single one does, and when the supervisor is gone.

    Killed by SIGKILL, that one can't end its workers, and they would keep the address for themselves.
    """

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket]) -> None:
        self._supervisor = os.getpid()
        super().__init__(config, sockets)

    def target(self, sockets: list[socket.socket] | None = None) -> None:
        exit_on_signals()
        threading.Thread(target=_end_without, args=(self._supervisor,), daemon=True).start()
        super().target(sockets)


def _end_without(supervisor: int) -> None:
    while os.getppid() == supervisor:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)
