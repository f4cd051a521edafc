"""uvicorn as this service runs it: its socket, its signals, its workers."""

import logging
import logging.config
import signal
import socket
import sys
from functools import partial
from types import FrameType

import uvicorn
from uvicorn.supervisors.multiprocess import Multiprocess

from app.main import create_app
from app.settings import Settings
from app.telemetry import LOGGING

log = logging.getLogger("digits")

# Requests under way have this long to finish after a signal; Docker kills after 10.
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
    config = uvicorn.Config(
        partial(create_app, settings),
        factory=True,
        workers=settings.workers,
        log_config=LOGGING,
        server_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_worker_healthcheck=WORKER_HEALTHCHECK_SECONDS,
    )
    host, port = listener.getsockname()[:2]
    log.info("listening on http://%s:%d", f"[{host}]" if ":" in host else host, port)
    try:
        if settings.workers > 1:
            Multiprocess(config, [listener]).run()
        else:
            uvicorn.Server(config).run([listener])
    finally:
        log.info("stopped")


def exit_on_signals() -> None:
    """Ends the process with status 0 on SIGTERM and SIGINT, from its first moment on.

    While it serves, uvicorn has handlers of its own; once everything is answered it puts these back and raises the
    signal again, which by default would end the process with 143.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _exit)


def _exit(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)  # from now on who connects waits for an answer and isn't refused
    except (OSError, UnicodeError) as error:
        listener.close()
        raise AddressError(f"can't listen on {host}, port {port}: {error}.") from error
    listener.set_inheritable(True)
    return listener
