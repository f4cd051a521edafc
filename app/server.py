"""uvicorn as this service runs it: its socket, its signals, its workers."""

import logging
import logging.config
import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.supervisors.multiprocess import Multiprocess

from app.main import create_service
from app.settings import Settings
from app.telemetry.log import LOGGING

log = logging.getLogger("digits")

# Requests under way, and the rest of refused bodies, have this long to finish after a signal; Docker kills after 10.
GRACE_SECONDS = 5
# Connections that may wait to be accepted, for instance while Python is still importing.
BACKLOG = 2048
# A worker imports TensorFlow for seconds, on a slow machine for many, and can't answer its supervisor meanwhile.
WORKER_HEALTHCHECK_SECONDS = 60


class AddressError(Exception):
    """The address to listen on can't be had; the message says why."""


def serve(settings: Settings) -> None:
    """Serves until a signal (SIGTERM, SIGINT), answers what is under way, and returns.

    Raises: AddressError, when the address is in use or not this machine's.
    """
    listener = _listen(settings.host, settings.port)
    logging.config.dictConfig(LOGGING)
    config = configure(
        partial(_worker_service if settings.workers > 1 else create_service, settings),
        factory=True,
        workers=settings.workers,
        log_config=LOGGING,
    )
    _prepare_processes(settings.workers)
    host, port = listener.getsockname()[:2]
    log.info("listening on http://%s:%d", f"[{host}]" if ":" in host else host, port)
    try:
        if settings.workers > 1:
            Multiprocess(config, [listener]).run()
        else:
            uvicorn.Server(config).run([listener])
    finally:
        log.info("stopped")


def configure(service: Callable[..., Any], **more: Any) -> uvicorn.Config:
    """uvicorn's settings that are ours to make. `more` goes to uvicorn as it is."""
    return uvicorn.Config(
        service,
        loop="uvloop",  # a request costs 3 µs less than with asyncio's own loop
        http="httptools",  # and 60 µs less than with h11; its parser is Node's
        access_log=False,  # `app.telemetry.log` has a line for each request
        proxy_headers=False,  # nothing depends on who a proxy says the client is
        server_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_worker_healthcheck=WORKER_HEALTHCHECK_SECONDS,
        **more,
    )


def _prepare_processes(workers: int) -> None:
    """Environment for libraries that read it when they are imported: in the workers, or here when there are none."""
    # One process is to keep one core busy: a call of this network lasts 50 µs, and TensorFlow's threads would cost
    # that again to hand it over, and take the other processes' cores.
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
    if workers > 1:
        # prometheus_client adds the workers up by way of files here
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="digits-metrics-")


def _worker_service(settings: Settings) -> ASGIApp:
    """The service in one of several workers, which ends when the process that started it is gone.

    Killed by SIGKILL, that one can't end its workers, and they would keep the address for themselves.
    """
    threading.Thread(target=_end_without, args=(os.getppid(),), daemon=True).start()
    return create_service(settings)


def _end_without(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off (44 ms a request on a kept connection) only for a socket that names TCP
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)  # from now on who connects waits for an answer and isn't refused
    except (OSError, UnicodeError) as error:
        listener.close()
        raise AddressError(f"can't listen on {host}, port {port}: {error}.") from error
    listener.set_inheritable(True)
    return listener
