"""uvicorn as this service runs it: its socket, its signals, its workers."""

import logging
import logging.config
import socket
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import uvicorn

from app.main import create_service
from app.one_write import OneWriteProtocol
from app.settings import Settings
from app.telemetry.log import logging_config
from app.workers import run_workers

log = logging.getLogger("digits")

# Requests under way, and the rest of refused bodies, have this long to finish after a signal; Docker kills after 10.
GRACE_SECONDS = 5
# Connections that may wait to be accepted, for instance while Python is still importing.
BACKLOG = 2048


class AddressError(Exception):
    """The address to listen on can't be had; the message says why."""


def serve(settings: Settings) -> None:
    """Serves until a signal (SIGTERM, SIGINT), answers what is under way, and returns.

    Raises: AddressError, when the address is in use or not this machine's.
    """
    listeners = _listeners(settings)
    log_config = logging_config(settings.log_format)
    logging.config.dictConfig(log_config)
    config = configure(
        partial(create_service, settings),
        factory=True,
        workers=settings.workers,
        log_config=log_config,
    )
    host, port = listeners[0].getsockname()[:2]
    log.info("listening on http://%s:%d", f"[{host}]" if ":" in host else host, port)
    try:
        if settings.workers > 1:
            run_workers(config, listeners)
        else:
            uvicorn.Server(config).run(listeners)
    finally:
        log.info("stopped")


def configure(service: Callable[..., Any], **more: Any) -> uvicorn.Config:
    """uvicorn's settings that are ours to make. `more` goes to uvicorn as it is."""
    return uvicorn.Config(
        service,
        loop="uvloop",  # a request costs 3 µs less than with asyncio's own loop
        http=OneWriteProtocol,  # on httptools, Node's parser: 60 µs less than with h11
        ws="none",
        access_log=False,  # `app.telemetry.log` has a line for each request
        proxy_headers=False,  # nothing depends on who a proxy says the client is
        server_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE_SECONDS,
        **more,
    )


def _listeners(settings: Settings) -> list[socket.socket]:
    """A listening socket for each worker, all on one address."""
    host, port = settings.host, settings.port
    try:
        first = _bound(host, port)  # alone, so that an address in use is found out
        sockets = [first] * settings.workers
        if settings.workers > 1 and sys.platform == "linux":  # elsewhere the kernel wouldn't deal connections out
            first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            port = first.getsockname()[1]
            sockets = [first, *(_bound(host, port, shared=True) for _ in range(settings.workers - 1))]
        for each in sockets:
            each.listen(BACKLOG)  # from now on who connects waits for an answer and isn't refused
            each.set_inheritable(True)
    except (OSError, UnicodeError) as error:
        raise AddressError(f"can't listen on {host}, port {port}: {error}.") from error
    return sockets


def _bound(host: str, port: int, shared: bool = False) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off (44 ms a request on a kept connection) only for a socket that names TCP
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((host, port))
    return listener
