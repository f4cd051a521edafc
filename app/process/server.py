"""uvicorn as this service runs it."""

import logging
import logging.config
import os
import socket
from collections.abc import Callable
from functools import partial
from ipaddress import ip_address
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from app.access.keys import SHORT
from app.model.runtime import importing
from app.process.lifecycle import Lifecycle
from app.process.listeners import BACKLOG, listen
from app.process.signals import hear_signals
from app.process.stopping import StoppingServer
from app.process.workers import run_workers
from app.settings import Settings, misspelt
from app.telemetry.log import logging_config
from app.wire.connection import Connection
from app.wire.gate import Gate
from app.wire.open_files import room_for_connections
from app.wire.outbox import Outbox

log = logging.getLogger("digits")

HEADERS = [("X-Content-Type-Options", "nosniff")]  # no browser takes an answer for what it doesn't say it is


def serve(settings: Settings) -> None:
    """Serves until a signal: `app.process.stopping` says what becomes of what is under way.

    Raises: StartError, when the address is in use or not this machine's, say, or the system gives too little.
    """
    room = room_for_connections(settings.max_connections)
    listeners = listen(settings)
    logging.config.dictConfig(logging_config(settings.log_format))
    host, port = listeners[0].getsockname()[:2]
    log.info("listening on http://%s:%d", f"[{host}]" if ":" in host else host, port)
    for name, meant in misspelt(os.environ).items():
        log.warning("%s is no setting of the service; is %s meant?", name, meant)
    _warn(host, settings)
    if room < settings.max_connections:
        log.warning("the system's limit of open files leaves room for %d connections a process (ulimit -n)", room)
    if settings.workers > 1:
        run_workers(settings, listeners)
        log.info("stopped")
    else:
        serve_one(settings, listeners, Lifecycle())


def _warn(host: str, settings: Settings) -> None:
    """Says who may ask that one may not have thought of."""
    if not settings.api_keys and not ip_address(host).is_loopback:
        log.warning("everybody who reaches %s may ask: there are no DIGITS_API_KEYS", host)
    if settings.api_keys.can_be_guessed:
        log.warning("keys of less than %d characters can be guessed", SHORT)


def serve_one(settings: Settings, listeners: list[socket.socket], lifecycle: Lifecycle) -> None:
    """Serves with this process, which ends with status 0 after a signal. `listeners`: of all processes that serve."""
    config = configure(
        partial(_create, settings, lifecycle),
        settings,
        factory=True,
        log_config=logging_config(settings.log_format),
    )
    server = StoppingServer(config, lifecycle, listeners, settings.drain_seconds)
    hear_signals(server.hear)
    server.run([listeners[lifecycle.index]])


def _create(settings: Settings, lifecycle: Lifecycle) -> ASGIApp:
    with importing():  # takes half a second, and those who connect can wait for it
        from app.main import create_service

    return create_service(settings, lifecycle)


def configure(service: Callable[..., Any], settings: Settings, **more: Any) -> uvicorn.Config:
    """uvicorn's settings that are ours to make. `more` goes to uvicorn as it is."""
    config = uvicorn.Config(
        service,
        loop="uvloop",  # a request costs 3 µs less than with asyncio's own loop
        http=Connection,  # on httptools, Node's parser: 60 µs less than with h11
        ws="none",
        access_log=False,  # `app.telemetry.log` has a line for each request
        proxy_headers=False,  # nothing depends on who a proxy says the client is
        server_header=False,
        headers=HEADERS,
        backlog=BACKLOG,
        **more,
    )
    config.gate = Gate(settings)  # type: ignore[attr-defined] # for `app.wire.connection`
    config.outbox = Outbox()  # type: ignore[attr-defined] # for `app.wire.one_write`
    return config
