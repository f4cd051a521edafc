"""Several processes that serve one address, each with a model of its own and one core to keep busy."""

import os
import signal
import socket
import tempfile
import threading
import time

import uvicorn
from starlette.types import ASGIApp
from uvicorn.supervisors.multiprocess import Multiprocess

from app.main import create_service
from app.settings import Settings


def run_workers(config: uvicorn.Config, listeners: list[socket.socket]) -> None:
    """Runs as many workers as there are `listeners`, until a signal."""
    with tempfile.TemporaryDirectory(prefix="digits-metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder  # prometheus_client adds the workers up by way of files here
        Workers(config, listeners).run()


class Workers(Multiprocess):
    """uvicorn's supervisor, which replaces workers that die, with a listening socket for each worker.

    The kernel deals new connections out over the sockets. From one socket for all, whoever wakes first takes what is
    there: 64 connections that come at once may all end at one worker while the other has nothing to do. This process
    keeps the sockets open, so those who wait at a worker that died are served by the one that takes its place.
    """

    def __init__(self, config: uvicorn.Config, listeners: list[socket.socket]) -> None:
        self._listeners = listeners
        super().__init__(config, listeners)

    @property
    def sockets(self) -> list[socket.socket]:
        """What the next worker listens on: the first one's that is dead, or else the next."""
        alive = [process.process.is_alive() for process in self.processes]
        return [self._listeners[alive.index(False) if False in alive else len(alive)]]

    @sockets.setter
    def sockets(self, _all: list[socket.socket]) -> None:
        pass

    def handle_hup(self) -> None:
        """Nothing: their number is fixed, as each has its socket. So with the next two."""

    handle_ttin = handle_ttou = handle_hup


def worker_service(settings: Settings) -> ASGIApp:
    """The service in a worker, which ends when the process that started it is gone.

    Killed by SIGKILL, that one can't end its workers, and they would keep the address for themselves.
    """
    threading.Thread(target=_end_without, args=(os.getppid(),), daemon=True).start()
    return create_service(settings)


def _end_without(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)
