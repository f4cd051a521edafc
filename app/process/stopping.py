"""How a process ends: told apart by signal, in time, and over nobody's head."""

import asyncio
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import uvicorn

from app.process.lifecycle import Lifecycle
from app.process.listeners import BACKLOG, admit_nobody_new, several_a_turn, somebody_waits
from app.process.orphans import Orphans
from app.process.signals import leave
from app.wire.connection import Connection, LastConnection
from app.wire.gate import Gate

log = logging.getLogger("digits")

# From the end of the drain on. So long connections may be idle: a client that is at work sends its next request within
# that time, and learns from its answer that the connection ends.
IDLE_SECONDS = 0.5
# So long who waits in the socket's queue is accepted, and what has arrived is answered; then whatever is under way is
# told that the service is stopping,
ANSWER_SECONDS = 1.4
# then the process ends, whatever it is doing, and a moment later even if its last line in the log can't be written; a
# supervisor kills it after that.
END_SECONDS, SILENT_END_SECONDS, KILL_SECONDS = 1.7, 1.8, 1.85
# One signal may come twice: systemd tells all processes of a service, make and our supervisor hand theirs on.
AGAIN_SECONDS = 0.2


def drain_of(number: int, drain_s: float) -> float:
    """The seconds for which a signal leaves the service as it is. Ctrl-C is of somebody who sits there and waits."""
    return 0 if number == signal.SIGINT else drain_s


def announce(number: int, drain_s: float) -> None:
    """Says what the signal does."""
    drain_s = drain_of(number, drain_s)
    log.info("%s: %s", signal.Signals(number).name, f"draining for {drain_s:g} s" if drain_s else "stopping")


class StoppingServer(uvicorn.Server):
    """uvicorn's server, but for its end.

    From SIGTERM on /readyz says 503 and each answer `Connection: close`; nothing else changes for `drain_s` seconds.
    Then nobody new is accepted; who waits in the socket's queue is, and what has arrived is answered. SIGINT skips the
    drain; a second signal of either kind ends the process at once.

    A worker takes the first signal only: whatever follows is the supervisor's to judge.
    """

    def __init__(
        self, config: uvicorn.Config, lifecycle: Lifecycle, listeners: list[socket.socket], drain_s: float
    ) -> None:
        super().__init__(config)
        self._gate: Gate = config.gate  # type: ignore[attr-defined]
        self._lifecycle = lifecycle
        self._orphans = Orphans(lifecycle, listeners, self._accept)
        self._drain_s = drain_s
        self._signal = 0  # the first,
        self._heard = self._drained = 0.0  # when it came, and when its drain is over, by time.monotonic

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        """Nothing: `app.process.signals.hear_signals` is to give them to `hear`."""
        return nullcontext()

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serves until a signal, then ends the process."""
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)
        self._leave()  # from here, for whoever ends an event loop waits for its threads

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins to serve."""
        await super().startup(sockets and several_a_turn(sockets))
        self._lifecycle.mark_serving()

    def hear(self, number: int) -> None:
        """Takes a signal, in another thread than the loop's."""
        now = time.monotonic()
        if not self.started:
            leave()
        if self._signal:
            self.force_exit |= self._lifecycle.alone and now > self._heard + AGAIN_SECONDS
            return
        drain_s = drain_of(number, self._drain_s)
        self._heard, self._drained, self._signal = now, now + drain_s, number
        self._lifecycle.stopping = True
        self._loop.call_soon_threadsafe(self._begin_to_end)
        for seconds, end in ((END_SECONDS, self._leave), (SILENT_END_SECONDS, partial(os._exit, 0))):
            in_time = threading.Timer(drain_s + seconds, end)  # whatever the loop is doing
            in_time.daemon = True
            in_time.start()

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second. Whether it is time to shut down."""
        if counter % 10 == 0:
            self._lifecycle.beat()  # uvicorn's own goes by the clock, and stands still when that is set back
            self._gate.look(self._connections(), self._loop.time())
        await self._orphans.look()
        self.should_exit = self.force_exit or (bool(self._signal) and time.monotonic() >= self._drained)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accepts and answers who is there, and closes all connections."""
        await self._close_listeners([*(sockets or []), *await self._orphans.adopt_all()])
        await self._wait(IDLE_SECONDS, lambda: any(each.idle for each in self._connections()))
        for each in self._connections():
            each.shutdown()
        await self._wait(ANSWER_SECONDS, lambda: self.server_state.connections or self.server_state.tasks)
        if not self.force_exit:
            await self._cut_off()
            await self.lifespan.shutdown()
        while self.server_state.tasks and not self.force_exit:  # those that have been told
            await asyncio.sleep(0.01)
        await asyncio.sleep(0)  # the log's last lines

    def _time_left(self, seconds: float) -> float:
        return self._drained + seconds - time.monotonic()

    def _begin_to_end(self) -> None:
        if self._lifecycle.alone:
            announce(self._signal, self._drain_s)
        self.config.http_protocol_class = LastConnection
        for each in self._connections():
            each.end_soon()

    async def _accept(self, listener: socket.socket) -> asyncio.Server:
        """Serves `listener`, too."""

        def protocol() -> asyncio.Protocol:
            kind = self.config.http_protocol_class
            return kind(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)  # type: ignore[call-arg]

        return await self._loop.create_server(protocol, sock=listener, backlog=BACKLOG)

    async def _close_listeners(self, listeners: list[socket.socket]) -> None:
        for each in listeners:
            admit_nobody_new(each)
        while any(map(somebody_waits, listeners)) and self._time_left(ANSWER_SECONDS) > 0 and not self.force_exit:
            await asyncio.sleep(0)  # libuv accepts a few a turn, and who is left when it closes is reset
        for server in self.servers:
            server.close()
        for each in listeners:
            each.close()
        self._orphans.close()

    async def _wait(self, seconds: float, goes_on: Callable[[], object]) -> None:
        """While something `goes_on`, until so long after the drain."""
        while self._time_left(seconds) > 0 and not self.force_exit and goes_on():
            await asyncio.sleep(0.01)

    async def _cut_off(self) -> None:
        """Ends what is still under way: `app.wire.ending` tells the clients."""
        for each in self._connections():
            each.abort_if_stuck()
        await asyncio.sleep(0.01)  # in which those learn that nobody takes their answers
        if unanswered := sum(each.is_unanswered for each in self._connections()):
            what = "1 request" if unanswered == 1 else f"{unanswered} requests"
            log.warning("%s could not be answered in time: who asked is told to try again", what)
        for task in self.server_state.tasks:
            task.cancel()

    def _connections(self) -> list[Connection]:
        return [each for each in self.server_state.connections if isinstance(each, Connection)]

    def _leave(self) -> None:
        if self._lifecycle.alone:
            log.info("stopped")
        leave()
